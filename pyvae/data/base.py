"""What every data set is: three splits of tensors, held as they were published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.columns import Column
from pyvae.data.conditions import Conditions
from pyvae.data.fields import Field
from pyvae.data.labels import UNLABELLED

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
        columns: what each variable is, where the data are a table; else none
        classes: the names of the classes that ``y`` counts, where they have any
        conditions: what the extra "condition" of each split means, place by place
        scale: mean and standard deviation (*data_shape) of the training data before they were
            standardized
        fields: further values of the rows that were asked for, by name, for each split
        rows: the number of each row in the file that it comes from, for each split, where the
            data come from files
    """

    name: str
    train: Split
    valid: Split
    test: Split
    levels: int | None = None
    columns: tuple[Column, ...] = ()
    classes: tuple[str, ...] = ()
    conditions: Conditions | None = None
    scale: tuple[Tensor, Tensor] | None = None
    fields: Mapping[str, tuple[Field, Field, Field]] = field(default_factory=dict)
    rows: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of one datum."""
        return tuple(self.train.x.shape[1:])

    @property
    def num_classes(self) -> int:
        """How many classes the labels count, but for that of rows without a label; 0: no labels."""
        if self.classes:
            return len([name for name in self.classes if name != UNLABELLED])
        tops = [int(s.y.max()) for s in self.splits.values() if s.y is not None and len(s.y)]
        return max(tops, default=-1) + 1

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def map(self, function: Callable[[Split], Split]) -> DataSplits:
        """The data set with a function applied to each split."""
        train, valid, test = map(function, (self.train, self.valid, self.test))
        return replace(self, train=train, valid=valid, test=test)

    def rowwise(self, function: Callable[[Split], Split]) -> DataSplits:
        """The data set with a function applied to all rows, now or when they are read."""
        return self.map(lambda split: split.rowwise(function))


def shuffled(
    whole: Split, sizes: tuple[int, int, int], seed: int = 0
) -> tuple[Split, Split, Split]:
    """Three splits of the given sizes, cut from one shuffle that depends on the seed alone."""
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    train, valid, test = torch.split(order[: sum(sizes)], list(sizes))
    return whole.take(train), whole.take(valid), whole.take(test)
