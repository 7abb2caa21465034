"""What every likelihood of counts is."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.data_range import COUNTS, DataRange

__all__ = ["CountLikelihood"]


class CountLikelihood(Likelihood, ABC):
    """Counts, which the encoder sees as log(1 + x).

    Args:
        data_shape: the shape of one datum
        fractions: take any numbers of at least 0, such as counts from which a correction has
            taken a part away (1.1387). The formula of the log-probability is the same; between
            whole numbers it is no longer normalized, so compare such figures only with each other
    """

    data_range = COUNTS
    discrete = True

    def __init__(self, data_shape: Sequence[int], fractions: bool = False) -> None:
        super().__init__(data_shape)
        self.fractions = fractions
        if fractions:
            self.data_range = DataRange(0)

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """log(1 + x)."""
        return x.to(dtype).log1p()

    def contains(self, x: Tensor) -> Tensor:
        if self.fractions:  # the distribution's support is that of whole numbers
            return self.data_range.contains(x).flatten(1).all(1)
        return super().contains(x)

    def check(self, x: Tensor, mask: Tensor | None = None) -> None:
        try:
            super().check(x, mask)
        except ValueError as error:
            seen = DataRange(0).contains(x) if mask is None else DataRange(0).contains(x) | ~mask
            if self.fractions or not bool(seen.all()):
                raise
            raise ValueError(f"{error}; for corrected counts take fractions=true") from None
