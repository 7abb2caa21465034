"""Rows of numbers in files, by the ending of their name: written whole or not at all, and read."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.cli.targets import checked, said_unwritable
from pyvae.errors import UserError, optional
from pyvae.storage import load_array, write_whole

__all__ = ["Table", "check_table_target", "read_latents", "write_table"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Table:
    """One row of numbers for each datum.

    Args:
        name: what the numbers are called; columns without a name of their own are name0, name1, ...
        values: (N, ...); files of columns hold them as (N, D)
        columns: the names of the D columns
        about: what else is known of each row, (N,) each; ``.npy`` does not hold it
    """

    name: str
    values: Array
    columns: tuple[str, ...] = ()
    about: Mapping[str, Array] = field(default_factory=dict)

    def by_column(self) -> dict[str, Array]:
        """What is known of the rows, and the numbers, a column at a time."""
        flat = self.values.reshape(len(self.values), -1) if self.values.size else self.values
        names = self.columns or tuple(f"{self.name}{i}" for i in range(flat.shape[1]))
        return {**self.about, **{name: flat[:, i] for i, name in enumerate(names)}}


def _npy(table: Table) -> bytes:
    content = io.BytesIO()
    np.save(content, table.values)
    return content.getvalue()


def _csv(table: Table) -> bytes:
    columns, content = table.by_column(), io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    return content.getvalue().encode()


def _parquet(table: Table) -> bytes:
    content = io.BytesIO()
    optional("polars", "tables").DataFrame(table.by_column()).write_parquet(content)
    return content.getvalue()


def _h5ad(table: Table) -> bytes:
    """The numbers as ``obsm["X_<name>"]``, what is known of the rows as ``obs``."""
    pandas, anndata = optional("pandas", "anndata"), optional("anndata", "anndata")
    flat = table.values.reshape(len(table.values), -1)
    index = [str(i) for i in range(len(flat))]
    obs = pandas.DataFrame({name: _plain(v) for name, v in table.about.items()}, index=index)
    annotated = anndata.AnnData(obs=obs, obsm={f"X_{table.name}": flat})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.h5ad"
        annotated.write_h5ad(path)
        return path.read_bytes()


def _plain(column: Array) -> Any:
    return column.astype(object) if column.dtype.kind == "U" else column


WRITERS: dict[str, Callable[[Table], bytes]] = {
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
    with said_unwritable(path):
        write_whole(path, WRITERS[path.suffix](table))
    print(path)


def read_latents(path: str, latent_dim: int) -> Array:
    """Latents (N, latent_dim) in float64, from a file as :func:`write_table` writes them.

    Columns of a table are those named z0, z1, ...; in ``.h5ad``, ``obsm["X_z"]``.

    Raises:
        UserError: no such file, another format, or another number of latents.
    """
    source, readers = Path(path), {".npy": _read_npy, ".csv": _read_csv}
    readers |= {".parquet": _read_parquet, ".h5ad": _read_h5ad}
    if source.suffix not in readers:
        raise UserError(f"--z must end in {', '.join(readers)}, got {path}")
    if not source.is_file():
        raise UserError(f"--z {path} does not exist or is not a file")
    try:
        z = np.asarray(readers[source.suffix](source), dtype=np.float64)
    except UserError:
        raise
    except Exception as error:  # what each library raises about a file of another format
        raise UserError(f"--z {path} cannot be read: {' '.join(str(error).split())}") from error
    if z.ndim < 2 or z.shape[-1] != latent_dim or not z.size:
        raise UserError(
            f"--z {path} must hold rows of {latent_dim} latents, as the model has, got an array "
            f"of shape {z.shape}"
        )
    if not np.isfinite(z).all():
        row = int(np.argwhere(~np.isfinite(z))[0][0])
        raise UserError(f"--z {path} must hold finite numbers, got another in row {row}")
    return z


def _read_npy(path: Path) -> Array:
    found: Array = load_array(path)
    return found


def _read_csv(path: Path) -> Array:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    header = rows[0] if rows else []
    chosen = _latent_columns(path, header)
    z = np.full((len(rows) - 1, len(chosen)), math.nan)
    for number, row in enumerate(rows[1:]):
        try:
            z[number] = [float(row[i]) for i in chosen]
        except (ValueError, IndexError) as error:
            raise UserError(f"--z {path}: row {number} is not one of numbers: {error}") from error
    return z


def _read_parquet(path: Path) -> Array:
    frame = optional("polars", "tables").read_parquet(path)
    chosen = _latent_columns(path, frame.columns)
    found: Array = frame.select([frame.columns[i] for i in chosen]).to_numpy()
    return found


def _read_h5ad(path: Path) -> Array:
    obsm = optional("anndata", "anndata").read_h5ad(path).obsm
    if "X_z" not in obsm:
        raise UserError(f"--z {path} has no obsm['X_z']; it holds {', '.join(obsm) or 'none'}")
    return np.asarray(obsm["X_z"])


def _latent_columns(path: Path, header: list[str]) -> list[int]:
    """The places of the columns z0, z1, ... in their order."""
    numbers = {n: i for i, n in enumerate(header) if n[:1] == "z" and n[1:].isdecimal()}
    chosen = [numbers[name] for name in sorted(numbers, key=lambda name: int(name[1:]))]
    if not chosen:
        raise UserError(
            f"--z {path} has no columns z0, z1, ...; it has {', '.join(header) or 'none'}"
        )
    return chosen
