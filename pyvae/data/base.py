"""What every data set is: three splits of tensors, held as they were published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pyvae.batch import Batch

__all__ = ["DataSplits", "Split", "shuffled"]


#: A split of a data set is one batch of all its rows.
Split = Batch


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
