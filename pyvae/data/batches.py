"""Minibatches in a random order, whose position can be saved and restored."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.stored import StoredBatch
from pyvae.data.windows import Windows

__all__ = ["Batches"]


class Batches:
    """Endless minibatches of a split; each epoch visits every row once.

    A batch is one ``index_select`` by a slice of the epoch's permutation, on the split's device:
    no work per item. Rows that lie in files come in shuffled blocks, read ahead by a thread: see
    :class:`pyvae.data.windows.Windows`. The last batch of an epoch is smaller where the sizes do
    not divide; one with fewer rows than ``smallest`` joins the batch before it.

    Args:
        split: the data
        batch_size: rows per batch
        seed: determines the order, alone
        smallest: the least number of rows of a batch

    Raises:
        ValueError: fewer rows than a batch must have.

    >>> import torch
    >>> batches = Batches(Batch(torch.arange(9)), 4, seed=0, smallest=2)
    >>> [len(batches.next()) for _ in range(batches.steps_per_epoch)]
    [4, 5]
    """

    def __init__(self, split: Batch, batch_size: int, seed: int, smallest: int = 1) -> None:
        if len(split) == 0:
            raise ValueError("Batches: the split is empty")
        if min(len(split), batch_size) < smallest:
            raise ValueError(
                f"Batches: a batch must have at least {smallest} rows, got {len(split)} rows in "
                f"batches of {batch_size}"
            )
        self.smallest = smallest
        self.split = split
        self.batch_size = batch_size
        self.epoch = -1  #: the epoch of the next batch, from 0
        self.position = 0  #: rows of this epoch that were handed out
        self._generator = torch.Generator().manual_seed(seed)
        self._reader = ThreadPoolExecutor(1) if isinstance(split, StoredBatch) else None
        self._begin_epoch()

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""
        whole, rest = divmod(len(self.split), self.batch_size)
        return whole + (rest >= self.smallest)

    @property
    def next_rows(self) -> int:
        """The rows of the next batch."""
        rest = len(self.split) - self.position
        return rest if rest - self.batch_size < self.smallest else self.batch_size

    def next(self) -> Batch:
        """The next batch, with values as stored."""
        return self.next_parts(1)[0]

    def next_parts(self, parts: int, wanted: range | None = None) -> list[Batch]:
        """The next batch, cut into parts of as equal sizes as can be.

        Args:
            parts: how many
            wanted: which of them to take, and leave the others; None: all
        """
        rows, chosen = self.next_rows, range(parts) if wanted is None else wanted
        if self._windows is None:
            index = self._order[self.position : self.position + rows]
            cuts = index.tensor_split(parts) if parts > 1 else (index,)
            taken = [self.split.take(cuts[i]) for i in chosen]
        else:
            taken = [self._windows.next(rows)]
            if parts > 1:
                places = torch.arange(rows).tensor_split(parts)
                taken = [taken[0].take(places[i]) for i in chosen]
        self.position += rows
        if self.position >= len(self.split):
            self._begin_epoch()
        return taken

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.position = 0
        self._start = self._generator.get_state()
        if isinstance(self.split, StoredBatch) and self._reader is not None:
            seed = int(torch.randint(2**62, (), generator=self._generator))
            self._windows: Windows | None = Windows(self.split, seed, self._reader)
            return
        self._windows = None
        order = torch.randperm(len(self.split), generator=self._generator)
        self._order = order.to(self.split.device)

    def state_dict(self) -> dict[str, Tensor]:
        """Where we are: the epoch, the rows handed out, the generator at the epoch's start."""
        place = torch.tensor([self.epoch, self.position, len(self.split)])
        return {"place": place, "generator": self._start}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take up from a state.

        Raises:
            ValueError: the state is of a split of another length.
        """
        epoch, position, length = (int(number) for number in state["place"])
        if length != len(self.split):
            raise ValueError(f"the data had {length} rows and have {len(self.split)} now")
        self._generator.set_state(state["generator"])
        self.epoch = epoch - 1
        self._begin_epoch()
        self.position = position
        if self._windows is not None:
            self._windows.skip(position)
