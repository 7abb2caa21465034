"""Independent variables, each with parameters of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions.base import broadcast
from pyvae.distributions.checked import Checked
from pyvae.distributions.parameters import Parameter, as_tensors
from pyvae.functional.observed import only_observed

__all__ = ["Elementwise"]

Self = TypeVar("Self", bound="Elementwise")


class Elementwise(Checked):
    """Independent variables over the trailing dimensions, from parameters that broadcast.

    ``arg_constraints`` says of each parameter that may be given what it must be.
    """

    has_parts = True

    def _hold(
        self, event_ndim: int, validate_args: bool | None, **parameters: Parameter | None
    ) -> None:
        """Keep the parameters: the first in the full shape, the others as they are."""
        name = type(self).__name__
        given = as_tensors(name, **parameters)
        main, first = next(iter(given.items()))
        shape = first.shape
        try:
            for value in given.values():
                shape = broadcast(shape, value.shape)
        except RuntimeError:
            shapes = ", ".join(f"{key} {tuple(t.shape)}" for key, t in given.items())
            raise ValueError(f"{name}: the parameters do not broadcast: {shapes}") from None
        if first.shape != shape:
            given[main] = first.expand(shape)
        self._split(shape, event_ndim, validate_args, given)

    def _full(self, name: str) -> Tensor:
        """A parameter (*batch, *event)."""
        return self._given[name].expand(self.param_shape)

    def _apart(self, mask: Tensor) -> Distribution:
        made: Any = type(self)
        given = {name: only_observed(mask, t) for name, t in self._given.items()}
        single: Distribution = made(**given, event_ndim=0, validate_args=False)
        return single

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        main = next(iter(new._given))
        new._given[main] = new._given[main].expand(torch.Size(batch_shape) + self._event_shape)
        return new
