"""The values that data may take, as likelihoods state them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

__all__ = ["BITS", "BYTES", "COUNTS", "REAL", "UNIT", "DataRange"]


@dataclass(frozen=True)
class DataRange:
    """An interval, of real or of whole numbers.

    Args:
        low: the least value
        high: the greatest value
        whole: whole numbers alone

    Raises:
        ValueError: no interval.

    >>> str(BYTES), str(UNIT), str(COUNTS)
    ('whole numbers from 0 to 255', 'in [0, 1]', 'whole numbers of at least 0')
    >>> import torch
    >>> COUNTS.contains(torch.tensor([0.0, 2.5, -1.0])).tolist()
    [True, False, False]
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"DataRange: low must be below high, got {self.low} and {self.high}")

    @property
    def unit(self) -> bool:
        """Whether values go from 0 to 1."""
        return (self.low, self.high) == (0, 1)

    @property
    def finite(self) -> bool:
        """Whether there is a least and a greatest value."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def inside(self) -> float:
        """One of the values."""
        return next((end for end in (self.low, self.high) if math.isfinite(end)), 0.0)

    def contains(self, x: Tensor) -> Tensor:
        """Which elements lie within: bool, of the shape of x."""
        inside = (x >= self.low) & (x <= self.high) & ~x.isnan()
        if not self.finite:
            inside &= x.isfinite()
        return inside & (x == x.round()) if self.whole and x.is_floating_point() else inside

    def __str__(self) -> str:
        numbers = "whole numbers" if self.whole else "numbers"
        if self.finite and not self.whole:
            return f"in [{self.low:g}, {self.high:g}]"
        if self.finite:
            return f"{numbers} from {self.low:g} to {self.high:g}"
        if math.isfinite(self.low):
            return f"{numbers} of at least {self.low:g}"
        if math.isfinite(self.high):
            return f"{numbers} of at most {self.high:g}"
        return numbers if self.whole else "real"


REAL = DataRange()
UNIT = DataRange(0, 1)
BITS = DataRange(0, 1, whole=True)
BYTES = DataRange(0, 255, whole=True)
COUNTS = DataRange(0, whole=True)
