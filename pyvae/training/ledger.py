"""The terms of the loss on their way from the steps to the records, from all processes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyvae.training.distributed.ranks import Ranks
from pyvae.training.guard import EVERY, FiniteGuard
from pyvae.training.means import Means

__all__ = ["Ledger"]


class Ledger:
    """Takes in the terms of each step; the guard looks at them, and the means sum them.

    Of several processes each knows its part of a batch alone. Every few steps they tell each other,
    at the same step in all of them.

    Args:
        means: what sums them
        ranks: the processes
    """

    def __init__(self, means: Means, ranks: Ranks) -> None:
        self.means, self.ranks, self.guard = means, ranks, FiniteGuard()
        self._names: tuple[str, ...] = ()
        self._pending: list[tuple[int, Tensor]] = []  # steps, and the terms of this process

    @property
    def count(self) -> int:
        """Steps since the last record."""
        return self.means.count + len(self._pending)

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Take in the terms of a step, which was the ``step``-th."""
        self._names = tuple(terms)
        values = torch.stack([value.detach().float() for value in terms.values()])
        self._pending.append((step, values))
        if self.ranks.size == 1:
            self.gather()

    def due(self, step: int) -> bool:
        """Whether the processes tell each other after a step; one of them alone always does."""
        return self.ranks.size == 1 or step % EVERY == 0

    def gather(self) -> None:
        """Take in what other processes have.

        Raises:
            NotFiniteError: a term of several processes is not finite.
        """
        if not self._pending:
            return
        steps, rows = zip(*self._pending, strict=True)
        self._pending = []
        alone = self.ranks.size == 1
        for step, values in zip(
            steps, rows if alone else self.ranks.sum(torch.stack(rows)), strict=True
        ):
            self.means.add(self._names, values)
            self.guard.add(step, self._names, values)
        if not alone:
            self.guard.look(wait=True)  # at the same step in all of them
