"""What every data set is: three splits of tensors, held as they were published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["DataSplits", "Split", "shuffled"]


@dataclass(frozen=True)
class Split:
    """Data and what comes with them, all with the same first dimension.

    Args:
        x: data (N, *data_shape), uint8 grey levels or float
        y: labels (N,), where there are any
        extras: side inputs by name, each (N, ...)
    """

    x: Tensor
    y: Tensor | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def map(self, function: Callable[[Tensor], Tensor]) -> Split:
        """The split with a function applied to each of its tensors."""
        return Split(
            function(self.x),
            None if self.y is None else function(self.y),
            {name: function(value) for name, value in self.extras.items()},
        )

    def take(self, index: Tensor) -> Split:
        """The rows of an int64 index (M,), which may stand on another device."""
        index = index.to(self.x.device)
        return self.map(lambda values: values.index_select(0, index))

    def to(self, device: torch.device | str) -> Split:
        """The split on a device."""
        return self.map(lambda values: values.to(device))

    def subset(self, size: int, seed: int = 0) -> Split:
        """``size`` random rows, the same for the same seed (sorted files need that)."""
        if size >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:size])


@dataclass(frozen=True)
class DataSplits:
    """A data set.

    Args:
        name: what it is registered as
        train, valid, test: the three splits
        levels: the highest grey level (255, or 16, or 1 for binary data), so that x / levels lies
            in [0, 1]; None for data that have no such range (counts, real values)
    """

    name: str
    train: Split
    valid: Split
    test: Split
    levels: int | None = None

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of one datum."""
        return tuple(self.train.x.shape[1:])

    def map(self, function: Callable[[Split], Split]) -> DataSplits:
        """The data set with a function applied to each split."""
        train, valid, test = map(function, (self.train, self.valid, self.test))
        return DataSplits(self.name, train, valid, test, self.levels)


def shuffled(
    whole: Split, sizes: tuple[int, int, int], seed: int = 0
) -> tuple[Split, Split, Split]:
    """Three splits of the given sizes, cut from one shuffle that depends on the seed alone."""
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    train, valid, test = torch.split(order[: sum(sizes)], list(sizes))
    return whole.take(train), whole.take(valid), whole.take(test)
