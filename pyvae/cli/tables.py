"""Rows of numbers in files, by the ending of their name: written whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.cli.annotated import Source, write_annotated
from pyvae.cli.targets import checked, said_unwritable
from pyvae.errors import optional
from pyvae.storage import written_whole

__all__ = ["Table", "check_table_target", "write_table"]

Array = np.ndarray[Any, np.dtype[Any]]

_ROWS = 1000  # that are text at a time


@dataclass(frozen=True)
class Table:
    """One row of numbers for each datum.

    Args:
        name: what the numbers are called; columns without a name of their own are name0, name1, ...
        values: (N, ...), in memory or on disk; files of columns hold them as (N, D)
        columns: the names of the D columns
        about: what else is known of each row, (N,) each; ``.npy`` does not hold it
        source: what the rows come from, where that is an ``.h5ad`` file, for another one
    """

    name: str
    values: Array
    columns: tuple[str, ...] = ()
    about: Mapping[str, Array] = field(default_factory=dict)
    source: Source | None = None

    @property
    def flat(self) -> Array:
        """The numbers as (N, D)."""
        return self.values.reshape(len(self.values), -1) if self.values.size else self.values

    def by_column(self) -> dict[str, Array]:
        """What is known of the rows, and the numbers, a column at a time."""
        flat = self.flat
        names = self.columns or tuple(f"{self.name}{i}" for i in range(flat.shape[1]))
        return {**self.about, **{name: flat[:, i] for i, name in enumerate(names)}}


def _npy(path: Path, table: Table) -> None:
    with open(path, "wb") as file:
        np.save(file, table.values)


def _csv(path: Path, table: Table) -> None:
    columns = table.by_column()
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for rows in _parts(len(table.values)):
            writer.writerows(zip(*(c[rows].tolist() for c in columns.values()), strict=True))


def _parts(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _ROWS):
        yield slice(start, start + _ROWS)


def _parquet(path: Path, table: Table) -> None:
    optional("polars", "tables").DataFrame(table.by_column()).write_parquet(path)


def _h5ad(path: Path, table: Table) -> None:
    write_annotated(path, table.name, table.flat, table.columns, table.about, table.source)


WRITERS: dict[str, Callable[[Path, Table], None]] = {
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
    ".h5ad": _h5ad,
}
_LIBRARIES = {".parquet": (("polars", "tables"),), ".h5ad": (("anndata", "anndata"),)}


def check_table_target(path: str) -> Path:
    """A path with an ending that can be written, in a folder that exists.

    Raises:
        UserError: another ending, no such folder, or a library that is not installed.
    """
    target = checked(path, tuple(WRITERS))
    for module, extra in _LIBRARIES.get(target.suffix, ()):
        optional(module, extra)
    return target


def write_table(path: Path, table: Table) -> None:
    """Write a table in the form of the path's ending, and say where.

    Raises:
        UserError: it cannot be written.
    """
    with said_unwritable(path), written_whole(path) as temporary:
        WRITERS[path.suffix](temporary, table)
    print(path)
