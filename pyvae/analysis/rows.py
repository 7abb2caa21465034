"""Rows of data as a model sees them, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data import Split, View
from pyvae.models.base import Model
from pyvae.models.capacity import BUDGET, capacity

__all__ = ["Rows", "Selection", "check_latents", "given", "rows_at_a_time", "select", "stream"]

#: Data: x (N, *data_shape), rows with their side inputs, or batches of them that come one by one.
Rows = Tensor | Batch | Iterable[Batch]


def rows_at_a_time(model: Model) -> int:
    """How many rows of data to take at a time: 250, fewer where they are large."""
    return max(1, min(250, BUDGET // max(1, math.prod(model.data_shape))))


def stream(model: Model, data: Rows) -> Iterator[Batch]:
    """Data in batches of the size that suits a model, on its device.

    >>> from pyvae import VAE
    >>> [len(batch) for batch in stream(VAE((1, 2, 2), 2), torch.zeros(600, 1, 2, 2))]
    [250, 250, 100]
    """
    device, most = next(model.parameters()).device, rows_at_a_time(model)
    size = 0
    for whole in [Batch.of(data)] if isinstance(data, (Tensor, Batch)) else data:
        if not size:
            first = whole[:1].to(device)
            size = min(most, capacity(model, first.x, first.side(model.side_inputs)))
        for start in range(0, len(whole), size):
            yield whole[start : start + size].to(device)


def check_latents(command: str, model: Model) -> None:
    """Raises: ValueError: the model has no latents."""
    if not model.latent_dim:
        raise ValueError(
            f"{command}: {type(model).__name__} has no latents; sample, score and evaluate need "
            f"none, and a vae has some"
        )


def given(model: Model, batch: Batch) -> dict[str, Tensor]:
    """The side inputs of a batch that p(x|z) takes; not the mask, since what is made is whole."""
    return batch.side(_names(model))


def _names(model: Model) -> list[str]:
    return [name for name in model.side_inputs if name != "mask"]


@dataclass(frozen=True)
class Selection:
    """Some rows of the splits of a data set, in their order.

    Args:
        view: the data as a likelihood sees them
        rows: the numbers of the rows (M,) of each split that is looked at
    """

    view: View
    rows: Mapping[str, Tensor]

    def __len__(self) -> int:
        return sum(len(index) for index in self.rows.values())

    def split(self, name: str) -> Split:
        """A whole split by name, as stored."""
        return self.view.data.splits[name]

    def batches(self, model: Model) -> Iterator[Batch]:
        """The rows with their side inputs, as the model's likelihood sees them.

        Zeros and ones that training draws anew for each minibatch are drawn once here, from a seed.

        Raises:
            ValueError: a value lies outside of what the likelihood takes.
        """
        size = rows_at_a_time(model)
        for name, index in self.rows.items():
            whole = self.split(name)
            generator = torch.Generator(whole.device).manual_seed(0)
            for part in index.split(size):
                batch = whole.take(part)
                if name == "train":
                    x = self.view.train_values(batch.x, generator)
                else:
                    x = self.view.held_out_values(batch.x)
                model.likelihood.check(x, batch.extras.get("mask"))
                yield replace(batch, x=x)

    @property
    def numbers(self) -> Tensor:
        """The number of each row (M,): in the file that it comes from, or else in its split."""
        place = self.view.data.rows
        return torch.cat([place[n][i] if n in place else i for n, i in self.rows.items()])

    @property
    def order(self) -> Tensor:
        """Which row comes first, second, ... where rows are written (M,): those of files in their
        order there, others in that of the splits."""
        numbers = self.numbers
        of_file = bool(self.view.data.rows)
        return numbers.argsort(stable=True) if of_file else torch.arange(len(numbers))

    @property
    def labels(self) -> Tensor | None:
        """The labels of the rows (M,), where all of them have one."""
        found = [(self.split(name).y, index) for name, index in self.rows.items()]
        known = [y[index.to(y.device)].cpu() for y, index in found if y is not None]
        return torch.cat(known) if known and len(known) == len(found) else None

    def extra(self, name: str) -> Tensor | None:
        """A side input of the rows (M, ...), where all of them have it."""
        found = [self.split(one).part(index).extras.get(name) for one, index in self.rows.items()]
        known = [value.cpu() for value in found if value is not None]
        return torch.cat(known) if known and len(known) == len(found) else None

    def side(self, model: Model, rows: int) -> dict[str, Tensor]:
        """Those side inputs of the first rows that p(x|z) takes: see :func:`given`."""
        found = {name: self.extra(name) for name in _names(model)}
        return {name: value[:rows] for name, value in found.items() if value is not None}


def select(view: View, split: str = "all", size: int = 0, seed: int = 0) -> Selection:
    """Rows of a split, or of all three.

    Args:
        view: the data
        split: "train", "valid", "test" or "all"
        size: so many of them at random; 0: all
        seed: of the choice

    Raises:
        ValueError: there is no such split.
    """
    splits = view.data.splits
    if split not in (*splits, "all"):
        raise ValueError(f"select: split must be {', '.join(splits)} or all, got {split!r}")
    names = list(splits) if split == "all" else [split]
    lengths = [len(splits[name]) for name in names]
    total = sum(lengths)
    chosen = torch.arange(total)
    if 0 < size < total:
        order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
        chosen = order[:size].sort().values
    rows, start = {}, 0
    for name, length in zip(names, lengths, strict=True):
        inside = (chosen >= start) & (chosen < start + length)
        rows[name] = chosen[inside] - start
        start += length
    return Selection(view, rows)
