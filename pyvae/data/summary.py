"""What there is to know of a data set before a model sees it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch

from pyvae.data.base import DataSplits, Split
from pyvae.data.columns import Column
from pyvae.data.labels import UNLABELLED
from pyvae.data.memory import readable
from pyvae.data.stored import StoredBatch

__all__ = ["ColumnSummary", "Summary", "summarize"]

_SHOWN = 40  # classes or columns in the text
_ROWS, _NUMBERS = 10_000, 2**20  # looked at at a time
_AWAY = "; the values stay in their file, and are read as they are needed"


@dataclass(frozen=True)
class ColumnSummary:
    """One column of a table.

    Args:
        name, kind: what it is called, and of which kind it is
        low, high: the least and the greatest value that is observed
        missing: the share that is not
        categories: their names
        note: why it is of this kind, where that needs a word
    """

    name: str
    kind: str
    low: float
    high: float
    missing: float
    categories: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Summary:
    """A data set in figures; ``str()`` of it is a page of text.

    Args:
        name: what the data set is called
        rows: how many rows each split has
        shape: of one datum
        dtype: how values are stored
        low, high: the least and the greatest value that is observed
        levels: the highest grey level, where they have levels
        memory: bytes of all splits that are held in memory
        held: whether the values are, or stay in their file
        missing: the share of values that are missing
        side: the side inputs, by name
        classes: how many rows each class has, by its name
        columns: of a table
        conditions: what each place of the extra "condition" means
    """

    name: str
    rows: dict[str, int]
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    levels: int | None
    memory: int
    held: bool
    missing: float
    side: tuple[str, ...]
    classes: dict[str, int]
    columns: tuple[ColumnSummary, ...]
    conditions: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """All of it, fit for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        levels = "" if self.levels is None else f", levels from 0 to {self.levels}"
        splits = ", ".join(f"{name} {size}" for name, size in self.rows.items())
        lines = [
            f"{self.name}: {sum(self.rows.values())} rows of {shape}, {self.dtype}{levels}",
            _line("splits", splits),
            _line("values", f"{self.low:g} to {self.high:g}"),
            _line("memory", readable(self.memory) + ("" if self.held else _AWAY)),
        ]
        if self.missing:
            lines.append(_line("missing", f"{100 * self.missing:.3g} % of the values"))
        if self.side:
            lines.append(_line("side inputs", ", ".join(self.side)))
        if self.classes:
            counts = [f"{name} {size}" for name, size in self.classes.items()]
            lines.append(_line("classes", f"{len(counts)}: {_some(counts, ', ')}"))
        if self.conditions:
            lines.append(_line("condition", _some(list(self.conditions), ", ")))
        if self.columns:
            lines.append(_line("columns", str(len(self.columns))))
            width = max(len(column.name) for column in self.columns[:_SHOWN])
            lines.append(_some([_column_line(c, width) for c in self.columns], "\n"))
        return "\n".join(lines)


def summarize(data: DataSplits) -> Summary:
    """Look at all values of a data set once.

    >>> import pyvae.data
    >>> found = summarize(pyvae.data.load("toy2d", n=100))
    >>> found.rows, found.shape, found.missing
    ({'train': 80, 'valid': 10, 'test': 10}, (2,), 0.0)
    """
    splits = list(data.splits.values())
    seen = _Seen(data)
    for split in splits:
        for block in split.blocks(_ROWS, _NUMBERS):
            seen.add(block)
    total = sum(split.x.numel() for split in splits)
    held = not isinstance(data.train, StoredBatch)
    return Summary(
        name=data.name,
        rows={name: len(split) for name, split in data.splits.items()},
        shape=data.data_shape,
        dtype=str(data.train.x.dtype).removeprefix("torch."),
        low=float(seen.low.min()) if seen.count.any() else 0.0,
        high=float(seen.high.max()) if seen.count.any() else 0.0,
        levels=data.levels,
        memory=sum(_bytes(split) for split in splits),
        held=held,
        missing=1 - int(seen.count.sum()) / total if total else 0.0,
        side=tuple(splits[0].extras),
        classes=_classes(data),
        columns=tuple(seen.column(place, c) for place, c in enumerate(data.columns)),
        conditions=() if data.conditions is None else data.conditions.places,
    )


class _Seen:
    """The least and the greatest value of each variable that is observed, and how many are."""

    def __init__(self, data: DataSplits) -> None:
        self._rows = sum(len(split) for split in data.splits.values())
        self.low = torch.full(data.data_shape, math.inf, dtype=torch.float64)
        self.high = torch.full(data.data_shape, -math.inf, dtype=torch.float64)
        self.count = torch.zeros(data.data_shape, dtype=torch.int64)

    def add(self, block: Split) -> None:
        """Look at more rows."""
        mask = block.extras.get("mask")
        if mask is None:
            low, high = block.x.amin(0), block.x.amax(0)
            self.count += len(block)
        else:
            x = block.x.double()
            low, high = x.masked_fill(~mask, math.inf), x.masked_fill(~mask, -math.inf)
            low, high = low.amin(0), high.amax(0)
            self.count += mask.sum(0)
        self.low, self.high = self.low.minimum(low), self.high.maximum(high)

    def column(self, place: int, column: Column) -> ColumnSummary:
        """What was seen of a column of a table."""
        count = int(self.count[place])
        low, high = (float(e[place]) if count else 0.0 for e in (self.low, self.high))
        missing = 1 - count / max(self._rows, 1)
        return ColumnSummary(
            column.name, column.kind, low, high, missing, column.categories, column.note
        )


def _bytes(split: Split) -> int:
    tensors = [split.x, *([] if split.y is None else [split.y]), *split.extras.values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if not tensor.is_meta)


def _classes(data: DataSplits) -> dict[str, int]:
    labels = [split.y for split in data.splits.values() if split.y is not None]
    if not labels:
        return {}
    hidden, *counts = (torch.cat(labels) + 1).bincount().tolist()  # -1: a label that is hidden
    names = data.classes or [str(number) for number in range(len(counts))]
    found = {name: count for name, count in zip(names, counts, strict=False) if count}
    return {**found, UNLABELLED: found.get(UNLABELLED, 0) + hidden} if hidden else found


def _line(name: str, text: str) -> str:
    return f"  {name:<12} {text}"


def _column_line(column: ColumnSummary, width: int) -> str:
    says = f"{column.low:g} to {column.high:g}"
    if column.kind == "categories":
        names = ", ".join(column.categories[:5]) + (", ..." if len(column.categories) > 5 else "")
        says = f"{len(column.categories)}: {names}"
    missing = f", {100 * column.missing:.3g} % missing" if column.missing else ""
    note = f" ({column.note})" if column.note else ""
    return f"    {column.name:<{width}}  {column.kind:<10}  {says}{missing}{note}"


def _some(texts: list[str], between: str) -> str:
    more = f"{between}... and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return between.join(texts[:_SHOWN]) + more
