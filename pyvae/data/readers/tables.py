"""Tables: .csv, .tsv and .parquet files, by polars."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyvae.data.fields import Fields
from pyvae.data.memory import check_memory
from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.csv_text import MISSING, check_lines, check_names, separator_of
from pyvae.data.readers.frame import field_of, kinds_named, numbers
from pyvae.errors import DataError, optional
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
        frame = _parquet(path) if parquet else self._text(path)
        for name in (*self.drop, *self.kinds):
            if name not in frame.columns:
                raise DataError(f"{path} has no column {name!r}; it has {list_of(frame.columns)}")
        x, columns = numbers(
            frame.drop(*self.drop, *set(aside) & set(frame.columns)), self.kinds, path
        )
        yield Rows(
            x,
            str(path),
            Fields(frame.columns, lambda name: field_of(frame[name], self.kinds.get(name))),
            columns=columns,
            values="real",
        )

    def _text(self, path: Path) -> Any:
        polars = optional("polars", "tables")
        check_memory(path.stat().st_size, str(path), "its text alone")
        separator = self.separator or separator_of(path)
        try:
            frame = polars.read_csv(
                path,
                separator=separator,
                has_header=self.header,
                infer_schema_length=None,
                null_values=list(MISSING),
                try_parse_dates=False,
            )
        except (Exception, polars.exceptions.PanicException) as error:
            check_lines(path, separator)
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{path} is damaged or not a table: {said}") from error
        if self.header:
            check_names(frame.columns, path)
        if frame.height and frame[:, -1].null_count():  # a row that is cut short ends in nothing
            check_lines(path, separator)
        return frame


def _parquet(path: Path) -> Any:
    polars = optional("polars", "tables")
    with said_of(path, "a parquet file"):
        try:
            lazy = polars.scan_parquet(path, glob=False)
            columns = len(lazy.collect_schema())
            rows = int(lazy.select(polars.len()).collect().item())
            size = 8 * rows * columns
            check_memory(size, str(path), f"a table of {rows} rows and {columns} columns")
            return lazy.collect()
        except polars.exceptions.PanicException as error:
            raise ValueError(str(error)) from error
