"""Independent variables, each with parameters of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import broadcast
from pyvae.distributions.checked import Checked

__all__ = ["Elementwise"]

Self = TypeVar("Self", bound="Elementwise")


class Elementwise(Checked):
    """Independent variables over the trailing dimensions, from parameters that broadcast."""

    #: The parameters and what they must be, the one that has the full shape first.
    parameters: ClassVar[dict[str, constraints.Constraint]]

    def _hold(
        self,
        event_ndim: int | None,
        validate_args: bool | None,
        **parameters: Tensor | float,
    ) -> None:
        """Keep the parameters: the first in the full shape, the others as they are."""
        name = type(self).__name__
        main = next(iter(parameters))
        first = parameters[main]
        if not isinstance(first, Tensor) or not first.is_floating_point():
            got = first.dtype if isinstance(first, Tensor) else type(first).__name__
            raise TypeError(f"{name}: {main} must be a floating-point tensor, got {got}")
        self._given: dict[str, Tensor] = {
            key: value
            if isinstance(value, Tensor)
            else torch.tensor(value, dtype=first.dtype, device=first.device)
            for key, value in parameters.items()
        }
        shape = first.shape
        try:
            for value in self._given.values():
                shape = broadcast(shape, value.shape)
        except RuntimeError:
            shapes = ", ".join(f"{key} {tuple(t.shape)}" for key, t in self._given.items())
            raise ValueError(f"{name}: the parameters do not broadcast: {shapes}") from None
        if first.shape != shape:
            self._given[main] = first.expand(shape)
        self._split(shape, event_ndim, validate_args)

    def _full(self, name: str) -> Tensor:
        """A parameter (*batch, *event)."""
        return self._given[name].expand(self._batch_shape + self._event_shape)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return self.parameters

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        new._given = dict(self._given)
        main = next(iter(new._given))
        new._given[main] = new._given[main].expand(torch.Size(batch_shape) + self._event_shape)
        return new
