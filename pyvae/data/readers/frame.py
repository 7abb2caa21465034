"""Tables as polars data frames, a part of the rows at a time, and the numbers of their columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyvae.data.columns import Column, Kind
from pyvae.data.fields import Field
from pyvae.data.readers.forward import Forward
from pyvae.data.readers.tally import Tally, is_text
from pyvae.errors import DataError, optional

__all__ = ["Frames", "field_of", "kinds_named", "numbers"]

Array = np.ndarray[Any, np.dtype[Any]]

_NUMBERS = 2**20  # in the rows that are made at a time


class Frames(Protocol):
    """A table that is read frame by frame, as often as it is asked for."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    def read(self, columns: Sequence[str]) -> Iterator[Any]:
        """Some of the columns, in data frames of the same types, one behind the other."""


def kinds_named(**named: Sequence[str]) -> dict[str, Kind]:
    """The kinds of columns that were named, by column.

    Raises:
        DataError: a column of two kinds.
    """
    kinds: dict[str, Any] = {}
    for kind, names in named.items():
        for name in names:
            if name in kinds:
                raise DataError(f"the column {name!r} is said to be {kinds[name]} and {kind}")
            kinds[name] = kind
    return kinds


def numbers(
    table: Frames, left_out: Collection[str], kinds: Mapping[str, Kind], path: Path
) -> tuple[Forward, tuple[Column, ...]]:
    """A table as float32 (N, D) with NaN where values are missing, and what its columns are.

    All values are seen once here, and made numbers of when they are read.

    Args:
        table: the table
        left_out: the names of columns that are no part of the numbers
        kinds: those of columns, where they are named
        path: the file, for messages

    Raises:
        DataError: a column of which no numbers can be made, with the row where there is one.
    """
    names = [name for name in table.columns if name not in left_out]
    if not names:
        raise DataError(f"{path} is empty: no column is left")
    tallies: list[Tally] = []
    rows = 0
    for frame in table.read(names):
        series = frame.get_columns()
        tallies = tallies or [
            Tally(s.name, s.dtype, kinds.get(s.name), f"{path}: {s.name}") for s in series
        ]
        for tally, values in zip(tallies, series, strict=True):
            tally.add(values)
        rows += frame.height
    if not rows:
        raise DataError(f"{path} is empty: {rows} rows of {len(names)} columns")
    columns = tuple(tally.column() for tally in tallies)

    def blocks() -> Iterator[Array]:
        for frame in table.read(names):
            for part in frame.iter_slices(max(1, _NUMBERS // len(names))):
                block = np.empty((part.height, len(names)), dtype=np.float32)
                for place, (tally, values) in enumerate(
                    zip(tallies, part.get_columns(), strict=True)
                ):
                    block[:, place] = tally.numbers(values)
                yield block

    return Forward((rows, len(names)), np.dtype(np.float32), blocks, str(path)), columns


def field_of(table: Frames, name: str, kind: Kind | None) -> Field:
    """A column as a field: categories as texts."""
    return Field.cat([_field(frame[name], kind) for frame in table.read([name])])


def _field(series: Any, kind: Kind | None) -> Field:
    missing = series.is_null().to_numpy()
    if is_text(series.dtype) or kind == "categories":
        texts = series.cast(optional("polars", "tables").String).to_list()
        once: dict[str, str] = {}  # each text is held once
        return Field(np.array([once.setdefault(t, t) for t in texts], dtype=object), missing)
    if series.dtype.is_numeric() or not missing.any():
        return Field(series.to_numpy(), missing)
    return Field(np.array(series.to_list(), dtype=object), missing)
