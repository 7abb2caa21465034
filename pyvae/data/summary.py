"""What there is to know of a data set before a model sees it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split
from pyvae.data.columns import Column
from pyvae.data.labels import UNLABELLED
from pyvae.data.memory import readable

__all__ = ["ColumnSummary", "Summary", "summarize"]

_SHOWN = 40  # classes or columns in the text


@dataclass(frozen=True)
class ColumnSummary:
    """One column of a table: its kind, its least and greatest value, the share that is missing."""

    name: str
    kind: str
    low: float
    high: float
    missing: float
    categories: tuple[str, ...] = ()


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
        memory: bytes of all splits
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
            _line("memory", readable(self.memory)),
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
    observed = [s.x[s.extras["mask"]] if "mask" in s.extras else s.x for s in splits]
    seen = sum(part.numel() for part in observed)
    total = sum(split.x.numel() for split in splits)
    return Summary(
        name=data.name,
        rows={name: len(split) for name, split in data.splits.items()},
        shape=data.data_shape,
        dtype=str(data.train.x.dtype).removeprefix("torch."),
        low=min(float(part.min()) for part in observed if part.numel()) if seen else 0.0,
        high=max(float(part.max()) for part in observed if part.numel()) if seen else 0.0,
        levels=data.levels,
        memory=sum(_bytes(split) for split in splits),
        missing=1 - seen / total if total else 0.0,
        side=tuple(splits[0].extras),
        classes=_classes(data),
        columns=tuple(_column(data, place, c) for place, c in enumerate(data.columns)),
        conditions=() if data.conditions is None else data.conditions.places,
    )


def _bytes(split: Split) -> int:
    tensors = [split.x, *([] if split.y is None else [split.y]), *split.extras.values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _classes(data: DataSplits) -> dict[str, int]:
    labels = [split.y for split in data.splits.values() if split.y is not None]
    if not labels:
        return {}
    hidden, *counts = (torch.cat(labels) + 1).bincount().tolist()  # -1: a label that is hidden
    names = data.classes or [str(number) for number in range(len(counts))]
    found = {name: count for name, count in zip(names, counts, strict=False) if count}
    return {**found, UNLABELLED: found.get(UNLABELLED, 0) + hidden} if hidden else found


def _column(data: DataSplits, place: int, column: Column) -> ColumnSummary:
    values = torch.cat([split.x[:, place] for split in data.splits.values()])
    masks = [s.extras["mask"][:, place] for s in data.splits.values() if "mask" in s.extras]
    seen = values[torch.cat(masks)] if masks else values
    low, high = _ends(seen)
    missing = 1 - len(seen) / max(len(values), 1)
    return ColumnSummary(column.name, column.kind, low, high, missing, column.categories)


def _ends(values: Tensor) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


def _line(name: str, text: str) -> str:
    return f"  {name:<12} {text}"


def _column_line(column: ColumnSummary, width: int) -> str:
    says = f"{column.low:g} to {column.high:g}"
    if column.kind == "categories":
        names = ", ".join(column.categories[:5]) + (", ..." if len(column.categories) > 5 else "")
        says = f"{len(column.categories)}: {names}"
    missing = f", {100 * column.missing:.3g} % missing" if column.missing else ""
    return f"    {column.name:<{width}}  {column.kind:<10}  {says}{missing}"


def _some(texts: list[str], between: str) -> str:
    more = f"{between}... and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return between.join(texts[:_SHOWN]) + more
