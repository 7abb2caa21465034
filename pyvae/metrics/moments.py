"""Means and variances of rows that come a few at a time."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Moments"]


class Moments:
    """Running mean and sum of squared deviations over rows, in float64 (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, rows: Tensor) -> None:
        """Take in rows (N, ...)."""
        if not len(rows):
            return
        rows = rows.detach().double()
        mean, total = rows.mean(0), self.count + len(rows)
        shift = mean - self.mean
        self.squares = self.squares + (rows - mean).square().sum(0)
        self.squares = self.squares + shift.square() * (self.count * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.count = total

    @property
    def variance(self) -> Tensor:
        """Population variance over the rows taken in."""
        return torch.as_tensor(self.squares) / max(self.count, 1)

    @property
    def error(self) -> float:
        """Standard error of the mean, of rows that are numbers."""
        return float((self.variance / self.count).sqrt())
