"""The rows of an epoch in shuffled blocks, read ahead by a thread."""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.stored import StoredBatch

__all__ = ["Windows"]

# They fix the order of rows, and so depend on nothing but the data.
BLOCK = 2**20  # bytes of rows that are neighbours in the file
BLOCKS = 64  # that are in memory together, and among whose rows a batch is drawn


class Windows:
    """One epoch of rows that are in files.

    Blocks of rows that are neighbours are shuffled; so many of them as a window holds are read, and
    their rows are shuffled among each other. One window is handed out while the next is read.

    Args:
        split: the rows
        seed: determines the order, alone
        reader: the thread that reads ahead
    """

    def __init__(self, split: StoredBatch, seed: int, reader: ThreadPoolExecutor) -> None:
        self._split, self._seed, self._reader = split, seed, reader
        row = split.x.element_size() * math.prod(split.x.shape[1:])
        size = max(1, BLOCK // max(1, row))
        count = -(-len(split) // size)
        shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        self._blocks = shuffled.split(BLOCKS)
        self._size = size
        self._number, self._position = -1, 0  # of the window that is handed out; in it
        self._window = split[:0]
        self._room: Batch | None = None  # of the window before it, which has served
        self._next: Future[Batch] | None = None

    def skip(self, rows: int) -> None:
        """Leave out the next rows, of an epoch that has just begun."""
        number = 0
        while number < len(self._blocks) and rows >= len(self._rows(number)):
            rows -= len(self._rows(number))
            number += 1
        self._number, self._next = number - 1, None
        self._window, self._position = self._split[:0], 0
        if rows:
            self._turn()
            self._position = rows

    def next(self, rows: int) -> Batch:
        """The next rows."""
        parts = []
        while rows:
            if self._position == len(self._window):
                self._turn()
            part = self._window[self._position : self._position + rows]
            parts.append(part.map(torch.clone))  # the window will be written over
            self._position += len(parts[-1])
            rows -= len(parts[-1])
        return Batch.cat(parts)

    def _turn(self) -> None:
        """Go to the next window, and let the one behind it be read."""
        self._number += 1
        found = (self._next or self._read(self._number)).result()
        more = self._number + 1 < len(self._blocks)
        self._next = self._read(self._number + 1) if more else None
        self._window, self._room = found.to(self._split.device), found
        self._position = 0

    def _read(self, number: int) -> Future[Batch]:
        rows = self._rows(number)
        generator = torch.Generator().manual_seed(self._seed + 1 + number)
        order = torch.randperm(len(rows), generator=generator)
        rows = rows.index_select(0, order)
        return self._reader.submit(self._split.to("cpu").take, rows, self._room)

    def _rows(self, number: int) -> Tensor:
        """The rows of a window, in the order of the file."""
        blocks = self._blocks[number].sort().values * self._size
        rows: Tensor = (blocks[:, None] + torch.arange(self._size)).flatten()
        return rows[rows < len(self._split)]
