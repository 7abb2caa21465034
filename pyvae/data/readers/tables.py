"""Tables: .csv, .tsv and .parquet files, by polars and pyarrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyvae.data.fields import Fields
from pyvae.data.readers.base import Reader, Rows, list_of
from pyvae.data.readers.csv_frames import CsvFrames
from pyvae.data.readers.frame import field_of, kinds_named, numbers
from pyvae.data.readers.parquet_frames import ParquetFrames
from pyvae.errors import DataError
from pyvae.registry import readers

__all__ = ["Table"]

_PARQUET = (".parquet", ".pq")


@readers.register("table")
class Table(Reader):
    """A table with named columns in a .csv, .tsv or .parquet file.

    The kind of a column is found: texts are categories, booleans and whole numbers of 0 and 1 are
    bits, other whole numbers of at least 0 are counts, all others are real. Missing values are
    empty, or written as NA, null, NaN or ?.

    Args:
        drop: columns to leave out
        real, bits, counts, categories: columns that are of this kind, whatever they look like
        header: whether the first row of a text file holds the names of the columns
        separator: what stands between two values of a text file; default: what its first line
            holds most of (comma, semicolon, tab, bar)
    """

    suffixes = (".csv", ".tsv", *_PARQUET)

    def __init__(
        self,
        *,
        drop: Sequence[str] = (),
        real: Sequence[str] = (),
        bits: Sequence[str] = (),
        counts: Sequence[str] = (),
        categories: Sequence[str] = (),
        header: bool = True,
        separator: str | None = None,
    ) -> None:
        self.drop, self.header, self.separator = tuple(drop), header, separator
        self.kinds = kinds_named(real=real, bits=bits, counts=counts, categories=categories)

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """All columns but those that are dropped or asked for by name, as one matrix."""
        parquet = path.name.lower().endswith(_PARQUET)
        table = ParquetFrames(path) if parquet else CsvFrames(path, self.separator, self.header)
        for name in (*self.drop, *self.kinds):
            if name not in table.columns:
                raise DataError(f"{path} has no column {name!r}; it has {list_of(table.columns)}")
        x, columns = numbers(table, {*self.drop, *aside}, self.kinds, path)
        yield Rows(
            x,
            str(path),
            Fields(table.columns, lambda name: field_of(table, name, self.kinds.get(name))),
            columns=columns,
            values="real",
        )
