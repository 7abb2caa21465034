"""Minibatches of a torch DataLoader, whose place can be saved and restored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyvae.batch import Batch
from pyvae.errors import DataError
from pyvae.fitting.inputs import as_batch

__all__ = ["LoaderBatches", "batch_of", "rows_of"]


def batch_of(item: Any, what: str = "data") -> Batch:
    """What a loader gives, as a batch: rows x, or x and labels, or a mapping with "x".

    Raises:
        DataError: something else.
    """
    if isinstance(item, Batch):
        return item
    if isinstance(item, Mapping) and isinstance(item.get("x"), Tensor):
        extras = {k: v for k, v in item.items() if k not in ("x", "y") and isinstance(v, Tensor)}
        return Batch(as_batch(item["x"], what=what).x, item.get("y"), extras)
    if isinstance(item, (list, tuple)) and 1 <= len(item) <= 2 and isinstance(item[0], Tensor):
        labels = item[1] if len(item) == 2 and isinstance(item[1], Tensor) else None
        return Batch(as_batch(item[0], what=what).x, labels)
    if isinstance(item, Tensor):
        return as_batch(item, what=what)
    raise DataError(
        f"{what}: a loader must give rows x, or x and labels, or a mapping with 'x', got a "
        f"{type(item).__name__}"
    )


def rows_of(loader: DataLoader[Any], rows: int, what: str = "data") -> Batch:
    """The first rows that a loader gives, as one batch.

    Raises:
        DataError: there are none, or they are of different shapes.
    """
    found: list[Batch] = []
    for item in loader:
        found.append(batch_of(item, what))
        if sum(map(len, found)) >= rows:
            break
    if not found:
        raise DataError(f"{what}: the loader gives no rows")
    try:
        return Batch.cat(found)
    except (RuntimeError, KeyError) as error:
        raise DataError(
            f"{what}: the batches of the loader do not fit together: {error}"
        ) from error


class LoaderBatches:
    """Endless minibatches of a loader, one pass after the other.

    Torch's random numbers that the loader and its transforms draw in this process come from the
    seed alone, and those of training are not changed by them. A state that is taken up goes through
    the batches of its pass that were handed out already.

    Args:
        loader: gives rows, labels, side inputs: see :func:`batch_of`
        seed: of the order
        device: where the batches are brought
        prepare: adds to a batch what belongs to it

    Raises:
        DataError: the loader has no length.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        seed: int,
        device: torch.device,
        prepare: Callable[[Batch], Batch] = lambda batch: batch,
    ) -> None:
        try:
            self.steps_per_epoch = len(loader)
        except TypeError as error:
            raise DataError(
                "data: a DataLoader must have a length, which one over an IterableDataset has "
                "where that defines __len__"
            ) from error
        if not self.steps_per_epoch:
            raise DataError("data: the loader gives no batch")
        self.loader, self.seed, self.device, self._prepare = loader, seed, device, prepare
        self.epoch, self.position = 0, 0  #: of the next batch, and batches of its pass before it
        self._held: Batch | None = None  # the next batch, once it has been looked at
        self._items: Iterator[Any] | None = None
        self._random = torch.get_rng_state()

    @property
    def next_rows(self) -> int:
        """The rows of the next batch."""
        self._held = self._held or self._read()
        return len(self._held)

    def next_parts(self, parts: int, wanted: range | None = None) -> list[Batch]:
        """The next batch, cut into parts of as equal sizes as can be.

        Args:
            parts: how many
            wanted: which of them to take; None: all
        """
        batch, self._held = self._held or self._read(), None
        self.position += 1
        if self.position >= self.steps_per_epoch:
            self.epoch, self.position, self._items = self.epoch + 1, 0, None
        cuts = torch.arange(len(batch), device=self.device).tensor_split(parts)
        taken = range(parts) if wanted is None else wanted
        return [batch] if parts == 1 else [batch.take(cuts[i]) for i in taken]

    def _read(self) -> Batch:
        if self._items is None:
            self._begin()
        assert self._items is not None
        with self._own_numbers():
            try:
                item = next(self._items)
            except StopIteration:
                raise DataError(
                    f"data: the loader says that it has {self.steps_per_epoch} batches and gave "
                    f"{self.position}"
                ) from None
        return self._prepare(batch_of(item)).to(self.device)

    def _begin(self) -> None:
        """Begin the pass, and go to the place in it."""
        generator = torch.Generator().manual_seed(self.seed)
        number = int(torch.randint(2**62, (self.epoch + 1,), generator=generator)[-1])
        self._random = torch.Generator().manual_seed(number).get_state()
        own = self.loader.generator
        if isinstance(own, torch.Generator):
            own.manual_seed(number)
        with self._own_numbers():
            self._items = iter(self.loader)
            for _ in itertools.islice(self._items, self.position):
                pass

    @contextmanager
    def _own_numbers(self) -> Iterator[None]:
        before = torch.get_rng_state()
        torch.set_rng_state(self._random)
        try:
            yield
        finally:
            self._random = torch.get_rng_state()
            torch.set_rng_state(before)

    def state_dict(self) -> dict[str, Tensor]:
        """Where it is: the pass, and batches of it that were handed out."""
        return {"place": torch.tensor([self.epoch, self.position, self.steps_per_epoch])}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take up from a state.

        Raises:
            ValueError: the state is of a loader of another length.
        """
        epoch, position, length = (int(number) for number in state["place"])
        if length != self.steps_per_epoch:
            raise ValueError(f"the loader had {length} batches and has {self.steps_per_epoch} now")
        self.epoch, self.position, self._items, self._held = epoch, position, None, None
