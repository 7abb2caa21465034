"""Levels without an order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyvae.distributions import Categorical
from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.data_range import DataRange
from pyvae.registry import likelihoods

__all__ = ["CategoricalLikelihood"]


@likelihoods.register("categorical")
class CategoricalLikelihood(Likelihood):
    """p(x|z) of levels as classes, a softmax over all of them for each pixel.

    van den Oord et al. 2016, section 3. The decoder gives the logits of a channel's levels along
    the first dimension, one channel after the other; the encoder sees levels between -1 and 1.

    Args:
        data_shape: the shape of one datum
        levels: how many classes; 256 for images of bytes
        one_hot: whether the encoder sees the levels as one-hot codes, for tokens without an order,
            as further channels: (length,) becomes (levels, length)

    Raises:
        ValueError: fewer than two levels.

    >>> CategoricalLikelihood((3, 32, 32)).param_shape
    (768, 32, 32)
    """

    discrete = True

    def __init__(self, data_shape: Sequence[int], levels: int = 256, one_hot: bool = False) -> None:
        super().__init__(data_shape)
        if levels < 2:
            raise ValueError(f"categorical likelihood: levels must be at least 2, got {levels}")
        self.levels, self.codes = levels, one_hot
        self.data_range = DataRange(0, levels - 1, whole=True)

    @property
    def param_shape(self) -> tuple[int, ...]:
        first, *rest = self.data_shape
        return (first * self.levels, *rest)

    @property
    def positions(self) -> Tensor:
        if len(self.data_shape) > 1:
            return super().positions
        return torch.arange(self.param_shape[0]) // self.levels

    @property
    def input_shape(self) -> tuple[int, ...]:
        if not self.codes:
            return self.data_shape
        if len(self.data_shape) == 1:
            return (self.levels, *self.data_shape)
        return (self.data_shape[0] * self.levels, *self.data_shape[1:])

    def forward(self, params: Tensor, **side: Tensor) -> Categorical:
        n = len(self.data_shape)
        logits = params.unflatten(-n, (self.data_shape[0], self.levels)).movedim(-n, -1)
        return Categorical(logits=logits, event_ndim=n, validate_args=False)

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Levels on the scale from -1 to 1, or as one-hot codes."""
        if self.codes:
            n = len(self.data_shape)
            codes = one_hot(x.long(), self.levels).to(dtype)
            if n == 1:
                return codes.transpose(-1, -2)
            return codes.movedim(-1, -n).flatten(-n - 1, -n)
        return x.to(dtype) * (2 / (self.levels - 1)) - 1
