"""Parquet files as data frames, a part of the rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyvae.data.readers.base import said_of
from pyvae.errors import optional

__all__ = ["ParquetFrames"]

_NUMBERS = 2**21  # in the rows that are read at a time


class ParquetFrames:
    """A parquet file: :class:`pyvae.data.readers.frame.Frames`.

    polars maps such files, which a limit of addresses counts in full; pyarrow reads them.

    Args:
        path: the file

    Raises:
        DataError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            self.columns: list[str] = file.schema_arrow.names

    def read(self, columns: Sequence[str]) -> Iterator[Any]:
        """Some of the columns, frame by frame."""
        polars = optional("polars", "tables")
        rows = max(1, _NUMBERS // max(1, len(columns)))
        with said_of(self._path, "a parquet file"), self._open() as file:
            batches = file.iter_batches(rows, columns=list(columns), use_threads=False)
            for batch in batches:
                yield polars.from_arrow(batch).select(columns)

    def _open(self) -> Any:
        parquet = optional("pyarrow.parquet", "tables")
        with said_of(self._path, "a parquet file"):
            return parquet.ParquetFile(self._path, memory_map=False, pre_buffer=False)
