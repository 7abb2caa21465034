"""Latents from files as the commands write them."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.cli.annotated import CODES
from pyvae.errors import UserError, optional
from pyvae.storage import load_array

__all__ = ["read_latents"]

Array = np.ndarray[Any, np.dtype[Any]]


def read_latents(path: str, latent_dim: int) -> Array:
    """Latents (N, latent_dim) in float64, from a file as ``pyvae encode`` writes it.

    Columns of a table are those named z0, z1, ...; in ``.h5ad``, ``obsm["X_pyvae"]``.

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
    if CODES not in obsm:
        raise UserError(f"--z {path} has no obsm[{CODES!r}]; it holds {', '.join(obsm) or 'none'}")
    return np.asarray(obsm[CODES])


def _latent_columns(path: Path, header: list[str]) -> list[int]:
    """The places of the columns z0, z1, ... in their order."""
    numbers = {n: i for i, n in enumerate(header) if n[:1] == "z" and n[1:].isdecimal()}
    chosen = [numbers[name] for name in sorted(numbers, key=lambda name: int(name[1:]))]
    if not chosen:
        raise UserError(
            f"--z {path} has no columns z0, z1, ...; it has {', '.join(header) or 'none'}"
        )
    return chosen
