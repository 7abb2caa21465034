"""Minibatches in a random order, whose position can be saved and restored."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyvae.batch import Batch

__all__ = ["Batches"]


class Batches:
    """Endless minibatches of a split; each epoch visits every row once.

    A batch is one ``index_select`` by a slice of the epoch's permutation, on the split's device:
    no work per item. The last batch of an epoch is smaller where the sizes do not divide.

    Args:
        split: the data
        batch_size: rows per batch
        seed: determines the order, alone
    """

    def __init__(self, split: Batch, batch_size: int, seed: int) -> None:
        if len(split) == 0:
            raise ValueError("Batches: the split is empty")
        self.split = split
        self.batch_size = batch_size
        self.epoch = -1  #: the epoch of the next batch, from 0
        self.position = 0  #: rows of this epoch that were handed out
        self._generator = torch.Generator().manual_seed(seed)
        self._begin_epoch()

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""
        return -(-len(self.split) // self.batch_size)

    def next(self) -> Batch:
        """The next batch, with values as stored."""
        index = self._order[self.position : self.position + self.batch_size]
        self.position += len(index)
        batch = self.split.take(index)
        if self.position >= len(self.split):
            self._begin_epoch()
        return batch

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.position = 0
        self._start = self._generator.get_state()
        order = torch.randperm(len(self.split), generator=self._generator)
        self._order = order.to(self.split.x.device)

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
