"""Rows of data that stay in their files and are read when they are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.readers.base import said_of
from pyvae.data.scratch import Scratch

__all__ = ["ArraysSource", "Source", "StoredBatch", "plain"]

Array = np.ndarray[Any, np.dtype[Any]]

_SKIP = 2**16  # bytes that are read in vain rather than left out by another read
_AT_ONCE = 2**20  # bytes of rows that are read before they are put into their places
_ROWS, _NUMBERS = 4096, 2**20  # rows, and numbers in them, that are written at a time


class Source(Protocol):
    """Rows by their numbers."""

    def read(self, index: Tensor) -> Batch:
        """The rows of an index (M,) that does not fall: x, and extras that lie with it."""


@dataclass(frozen=True)
class ArraysSource:
    """The rows of arrays that can be sliced, one array behind the other.

    Args:
        arrays: they, and what they are called in messages
        form: makes x and extras of rows as they are stored
    """

    arrays: Sequence[tuple[Any, str]]
    form: Callable[[Array, str], Batch]

    def read(self, index: Tensor) -> Batch:
        """Rows that lie near each other are read by one slice."""
        if not len(index):
            array, where = self.arrays[0]
            return self.form(np.asarray(array[0:1]), where)[:0]
        wanted, start, parts = index.numpy(), 0, []
        for array, where in self.arrays:
            end = start + int(array.shape[0])
            here = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)] - start
            row = max(1, array.dtype.itemsize * math.prod(array.shape[1:]))
            apart = np.diff(here)
            gaps = np.flatnonzero(apart > max(1, _SKIP // row)) + 1
            for a, b in pairwise([0, *gaps.tolist(), len(here)]) if len(here) else ():
                first, last = int(here[a]), int(here[b - 1])
                with said_of(where, "what its header says"):
                    stored = np.asarray(array[first : last + 1])
                if (apart[a : b - 1] != 1).any():
                    stored = stored[here[a:b] - first]
                parts.append(self.form(stored, where))
            start = end
        return Batch.cat(parts)


@dataclass(frozen=True)
class _Written:
    """Rows whose x were written to a file of their own, and whose extras are where they were."""

    before: StoredBatch
    x: ArraysSource

    def read(self, index: Tensor) -> Batch:
        """Both together."""
        found = self.x.read(index)
        if any(value.is_meta for value in self.before.extras.values()):
            names = {name for name, value in self.before.extras.items() if value.is_meta}
            return replace(found, extras=self.before.take(index).side(names))
        return found


@dataclass(frozen=True)
class StoredBatch(Batch):
    """A batch whose x lies in files.

    ``x``, and those extras that lie with it, are tensors on the device "meta": they have a shape
    and a dtype, and no values. Slices and ``take`` read rows; ``part`` and ``rowwise`` do not.
    Whatever looks for values in ``x`` is told by torch that there are none.

    Args:
        x, y, extras: as for a batch; what is no meta tensor is held in memory
        source: where rows are read
        index: their numbers there (N,); None: all of them, in their order
        steps: what is done to rows once they are read
        home: the device on which they are wanted
        known: what :func:`pyvae.data.survey.survey` has found of these very rows

    >>> source = ArraysSource([(np.arange(6.0).reshape(3, 2), "numbers")], plain)
    >>> rows = StoredBatch.of_source(source, 3)
    >>> rows.x.shape, rows.x.is_meta, rows[1:].x.tolist()
    (torch.Size([3, 2]), True, [[2.0, 3.0], [4.0, 5.0]])
    >>> rows.rowwise(lambda batch: Batch(-batch.x)).part(slice(2))[1:].x.tolist()
    [[-2.0, -3.0]]
    """

    source: Source = field(kw_only=True)
    index: Tensor | None = None
    steps: tuple[Callable[[Batch], Batch], ...] = ()
    home: torch.device = field(default_factory=lambda: torch.device("cpu"))
    known: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def of_source(cls, source: Source, rows: int) -> StoredBatch:
        """All rows of a source, in its order."""
        x, extras = _outline(source.read(torch.arange(min(1, rows))), rows, {})
        return cls(x, None, extras, source=source)

    @property
    def device(self) -> torch.device:
        """Where rows come when they are taken."""
        return self.home

    def take(self, index: Tensor, room: Batch | None = None) -> Batch:
        """Read the rows of an index (M,).

        They are read, and what is to be done to them is done, in the order of the file and so few
        at a time that a processor's cache holds them until they are put into their places.

        Args:
            index: places among the rows
            room: rows that an earlier call gave, which are written over if they are enough
        """
        index = index.cpu()
        numbers, places = self._numbers(index).sort(stable=True)
        size = max(1, _AT_ONCE // max(1, self.x[:1].nbytes))
        if len(index) <= size:
            return self._read(numbers, index[places]).take(places.argsort()).to(self.home)
        whole = room[: len(index)] if room is not None and len(room) >= len(index) else None
        rooms: list[Array] = []
        for to, some in zip(places.split(size), numbers.split(size), strict=True):
            found = self._read(some, index.index_select(0, to))
            if whole is None:
                whole = found.map(lambda values: _room(values, len(index)))
            rooms = rooms or _rows_of(whole)
            for there, values in zip(rooms, _rows_of(found), strict=True):
                there[to.numpy()] = values
        assert whole is not None
        return whole.to(self.home)

    def _read(self, numbers: Tensor, index: Tensor) -> Batch:
        """Rows by their numbers in the source, which do not fall, and by their places here."""
        found = self.source.read(numbers)
        held = {name: v[index] for name, v in self.extras.items() if not v.is_meta}
        y = None if self.y is None else self.y[index]
        batch = Batch(found.x, y, {**found.extras, **held})
        for step in self.steps:
            batch = step(batch)
        return batch

    def __getitem__(self, rows: slice) -> Batch:
        """Read some of the rows."""
        return self.take(self._places(rows))

    def subset(self, size: int, seed: int = 0) -> Batch:
        """Read ``size`` random rows, or all if there are no more."""
        return self[:] if size >= len(self) else super().subset(size, seed)

    def part(self, rows: slice | Tensor) -> StoredBatch:
        """Some of the rows, of which none is read."""
        index = self._places(rows) if isinstance(rows, slice) else rows
        extras = {n: v[: len(index)] if v.is_meta else v[index] for n, v in self.extras.items()}
        y = None if self.y is None else self.y[index]
        x = self.x.new_empty((len(index), *self.x.shape[1:]))
        return replace(self, x=x, y=y, extras=extras, index=self._numbers(index))

    def _places(self, rows: slice) -> Tensor:
        """Places among the rows; of all rows only where all are asked for."""
        return torch.arange(*rows.indices(len(self)))

    def _numbers(self, index: Tensor) -> Tensor:
        """The numbers in the source of rows of an index."""
        return index if self.index is None else self.index.index_select(0, index)

    def rowwise(self, function: Callable[[Batch], Batch]) -> StoredBatch:
        """A function applied to rows whenever they are read."""
        after = replace(self, steps=(*self.steps, function), home=torch.device("cpu"))
        x, extras = _outline(after[:1], len(self), self.extras)
        return replace(after, x=x, extras=extras, home=self.home)

    def written(self, function: Callable[[Batch], Tensor], where: str) -> StoredBatch:
        """The batch with another x, in a file of its own: what a function gives for each block.

        It is called once for all rows, in their order.

        Args:
            function: gives the x of some rows
            where: what they are called in messages

        Raises:
            DataError: the disk has no room for them.
        """
        here = replace(self, home=torch.device("cpu"))
        scratch: Scratch | None = None
        for block in here.blocks(_ROWS, _NUMBERS):
            x = function(block).numpy()
            if scratch is None:
                scratch = Scratch((len(self), *x.shape[1:]), x.dtype, where)
            scratch.write(x)
        if scratch is None:
            return self
        source = _Written(here, ArraysSource([(scratch.rows(), where)], plain))
        after = StoredBatch.of_source(source, len(self))
        held = {name: value for name, value in self.extras.items() if not value.is_meta}
        return replace(after, y=self.y, extras={**after.extras, **held}, home=self.home)

    def to(self, device: torch.device | str) -> StoredBatch:
        """The rows come to a device when they are taken."""
        return replace(self, home=torch.device(device))

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Raises: TypeError: there are no tensors of all rows."""
        raise TypeError("the rows of a StoredBatch are in files: take some of them")


def plain(stored: Array, where: str) -> Batch:
    """Rows that are stored as they are wanted."""
    return Batch(torch.from_numpy(stored))


def _room(like: Tensor, rows: int) -> Tensor:
    """A tensor of so many rows; numpy asks for large pages for it, which cost a fifth."""
    return torch.from_numpy(np.empty((rows, *like.shape[1:]), like.numpy().dtype))


def _rows_of(batch: Batch) -> list[Array]:
    """The tensors of a batch as lists of rows, which numpy moves whole and in this thread alone."""
    tensors = [batch.x, *([] if batch.y is None else [batch.y]), *batch.extras.values()]
    return [
        np.ascontiguousarray(tensor.numpy()).view(f"V{tensor[:1].nbytes}").reshape(len(tensor))
        for tensor in (t.flatten(1) if t.ndim > 1 else t[:, None] for t in tensors)
    ]


def _outline(few: Batch, rows: int, held: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """x and extras as tensors without values, but for extras that are held."""

    def outline(values: Tensor) -> Tensor:
        return values.new_empty((rows, *values.shape[1:]), device="meta")

    extras = {}
    for name, values in few.extras.items():
        there = name in held and not held[name].is_meta
        extras[name] = held[name] if there else outline(values)
    return outline(few.x), extras
