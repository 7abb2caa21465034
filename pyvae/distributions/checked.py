"""Distributions that say in words which value they were given and cannot take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import OpDistribution
from pyvae.functional.observed import only_observed, sum_observed

__all__ = ["Checked"]


class Checked(OpDistribution, ABC):
    """Variables over the trailing dimensions, all with one support."""

    #: Where one variable lies, and the same in words.
    variable: constraints.Constraint
    values: str = "real"

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        n = self._event_ndim
        return constraints.independent(self.variable, n) if n else self.variable

    def _validate_sample(self, value: Tensor, mask: Tensor | None = None) -> None:
        inside = self.variable.check(value)
        if mask is not None:
            inside = inside | ~mask
        if not bool(inside.all()):
            raise ValueError(
                f"{type(self).__name__}.log_prob: value must be {self.values}, "
                f"got {value.expand(inside.shape)[~inside][0].item():g}"
            )

    def log_prob(self, value: Tensor | float) -> Tensor:
        """log p(value), summed over the event, with batch dimensions broadcast.

        Args:
            value: (*sample, *batch, *event), batch dimensions missing or 1 where they broadcast;
                a number too
        """
        value = self._as_value(value)
        return self._log_density(value, self._batch_ndim(value))

    def _log_density(self, value: Tensor, batch_ndim: int) -> Tensor:
        """The same, of values that are not validated."""
        log_prob = self._log_prob(value, batch_ndim)
        never = self._impossible(value)
        if never is None:
            return log_prob
        if self._event_ndim:
            never = never.flatten(-self._event_ndim).any(-1)
        return log_prob.masked_fill(never & ~log_prob.isnan(), -torch.inf)

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        """By the single variables: values and parameters are 1 where they were not observed."""
        if self._validate_args and value.numel():
            self._validate_sample(value, mask)
        each = self._apart(mask).log_prob(only_observed(mask, value))
        return sum_observed(mask, each, self._event_ndim)

    def _apart(self, mask: Tensor) -> Distribution:
        """The variables as single ones, with parameters of 1 where the mask is False."""
        raise NotImplementedError(f"{type(self).__name__} is not one of independent variables")

    @abstractmethod
    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        """The op of the density."""

    def _impossible(self, value: Tensor) -> Tensor | None:
        """Which values have no probability, where the op cannot know that."""
        return None

    def _single(self, what: str) -> None:
        """Raises: NotImplementedError: the event has dimensions, for which there is no such."""
        if self._event_ndim:
            name = type(self).__name__
            raise NotImplementedError(f"{name}.{what}: only of single variables (event_ndim=0)")

    def _draw(self, shape: torch.Size) -> Tensor:
        """A sample for parameters expanded to this shape, without a gradient."""
        return self.rsample(shape[: len(shape) - len(self._batch_shape) - self._event_ndim])

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, *event), in the dtype of the parameters."""
        with torch.no_grad():
            return self._draw(self._extended_shape(torch.Size(sample_shape)))
