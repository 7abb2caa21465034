"""Rows of data and what belongs to them. Imports nothing of the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Rows of data and what comes with them: a minibatch, or a whole split of a data set.

    Args:
        x: data (B, *data_shape), of any dtype
        y: labels (B,), where there are any
        extras: side inputs by name, each (B, ...), such as "library", a library size. Three names
            mean the same to every model: "target" is explained in the place of x; "mask"
            (B, *data_shape) is True where x was observed; "condition" (B, C) is what q(z|x, c),
            p(x|z, c) and perhaps p(z|c) are given

    >>> batch = Batch(torch.zeros(5, 2), extras={"library": torch.arange(5)})
    >>> len(batch), batch[3:].extras["library"].tolist()
    (5, [3, 4])
    """

    x: Tensor
    y: Tensor | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Tensor | Batch) -> Batch:
        """A batch as it is; a tensor as the x of one."""
        return batch if isinstance(batch, Batch) else cls(batch)

    @classmethod
    def cat(cls, parts: Sequence[Batch]) -> Batch:
        """Batches of the same kind, one behind the other.

        >>> len(Batch.cat([Batch(torch.zeros(5, 2)), Batch(torch.zeros(1, 2))]))
        6
        """
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            torch.cat([part.x for part in parts]),
            None
            if first.y is None
            else torch.cat([part.y for part in parts if part.y is not None]),
            {name: torch.cat([part.extras[name] for part in parts]) for name in first.extras},
        )

    @property
    def target(self) -> Tensor:
        """What p(x|z) has to explain: the extra of that name, else x itself."""
        return self.extras.get("target", self.x)

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.x.device

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice) -> Batch:
        """Some of the rows, as views."""
        return self.map(lambda values: values[rows])

    def side(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Those of the side inputs of these names that there are."""
        return {name: self.extras[name] for name in names if name in self.extras}

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with a function applied to each of its tensors."""
        return Batch(
            function(self.x),
            None if self.y is None else function(self.y),
            {name: function(value) for name, value in self.extras.items()},
        )

    def take(self, index: Tensor) -> Batch:
        """The rows of an int64 index (M,), which may be on another device."""
        index = index.to(self.x.device)
        return self.map(lambda values: values.index_select(0, index))

    def part(self, rows: slice | Tensor) -> Batch:
        """Some of the rows, as a batch of the same kind: rows that are in files stay there."""
        return self[rows] if isinstance(rows, slice) else self.take(rows)

    def blocks(self, size: int, numbers: int | None = None) -> Iterator[Batch]:
        """All rows in their order, ``size`` of them at a time; fewer where x is wide.

        Args:
            size: rows of a block
            numbers: of the x of a block, at most; None: any number

        >>> [len(block) for block in Batch(torch.zeros(5, 2)).blocks(2)]
        [2, 2, 1]
        """
        if numbers is not None:
            size = max(1, min(size, numbers // max(1, math.prod(self.x.shape[1:]))))
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def rowwise(self, function: Callable[[Batch], Batch]) -> Batch:
        """A function that does to each row the same whatever rows are beside it, applied to all."""
        return function(self)

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return self.map(lambda values: values.to(device))

    def subset(self, size: int, seed: int = 0) -> Batch:
        """``size`` random rows, the same for the same seed (files may be sorted by class)."""
        if size >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:size])
