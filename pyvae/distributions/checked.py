"""Distributions that say in words which value they were given and cannot take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import OpDistribution

__all__ = ["Checked"]


class Checked(OpDistribution, ABC):
    """Variables over the trailing dimensions, all with one support."""

    #: Where one variable lies, and the same in words.
    variable: constraints.Constraint
    values: str = "real"

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(self.variable, self._event_ndim)

    def _validate_sample(self, value: Tensor) -> None:
        name = type(self).__name__
        event = tuple(value.shape[value.ndim - self._event_ndim :])
        if value.ndim < self._event_ndim or event != tuple(self._event_shape):
            raise ValueError(
                f"{name}.log_prob: value must have the event shape {tuple(self._event_shape)}, "
                f"got {tuple(value.shape)}"
            )
        inside = self.variable.check(value)
        if not bool(inside.all()):
            raise ValueError(
                f"{name}.log_prob: value must be {self.values}, got {value[~inside][0].item():g}"
            )

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), summed over the event, with batch dimensions broadcast.

        Args:
            value: (*sample, *batch, *event), batch dimensions missing or 1 where they broadcast
        """
        return self._log_prob(value, self._batch_ndim(value))

    @abstractmethod
    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        """The op of the density."""

    @abstractmethod
    def _draw(self, shape: torch.Size) -> Tensor:
        """A sample for parameters expanded to this shape, without a gradient."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, *event), in the dtype of the parameters."""
        with torch.no_grad():
            return self._draw(self._extended_shape(torch.Size(sample_shape)))
