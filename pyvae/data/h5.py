"""Matrices in HDF5 files, dense or sparse, with labels: ``.h5``, ``.hdf5`` and ``.h5ad``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.data.matrices import as_matrix, check_counts, check_finite
from pyvae.errors import DataError, optional
from pyvae.registry import datasets

__all__ = ["h5", "is_h5_path", "read_h5"]

SUFFIXES = (".h5", ".hdf5", ".h5ad")


def is_h5_path(name: str) -> bool:
    """Whether the name of a data set is that of an HDF5 file."""
    return name.endswith(SUFFIXES)


@datasets.register("h5")
def h5(
    *,
    path: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    x: str = "X",
    labels: str | None = None,
    values: str = "counts",
    name: str | None = None,
) -> DataSplits:
    """Rows of a matrix in an HDF5 file, shuffled, split 80 / 10 / 10 per cent.

    ``--dataset FILE.h5`` is short for this one. Counts come with the side input ``library``, the
    total of each row.

    Args:
        path: the file
        data_dir: not looked at
        x: what holds the matrix: a data set (N, D), or a group of data, indices and indptr
        labels: what holds N labels; default: ``Y`` where there is one. In ``.h5ad`` files a column
            of ``obs``, by its name
        values: "counts" (checked to be whole numbers of at least 0) or "real"
        name: what the data set is called; default: the file's name

    Raises:
        DataError: no such file, another format, or values that are no counts.
        MissingExtraError: h5py is not installed.
    """
    if values not in ("counts", "real"):
        raise DataError(f"h5: values must be 'counts' or 'real', got {values!r}")
    path = Path(path).expanduser()
    matrix, y = read_h5(path, x, labels)
    called = name or path.stem
    where = f"{path}: {x}"
    extras = {}
    if values == "counts":
        check_counts(matrix, where)
        extras["library"] = matrix.sum(1)
    else:
        check_finite(matrix, where)
    held = len(matrix) // 10
    if not held:
        raise DataError(f"{where} must have at least 10 rows to be split, got {len(matrix)}")
    whole = Split(matrix, y, extras)
    return DataSplits(called, *shuffled(whole, (len(matrix) - 2 * held, held, held)))


def read_h5(path: Path, x: str = "X", labels: str | None = None) -> tuple[Tensor, Tensor | None]:
    """The matrix (N, D) as float32 and the labels (N,) as int64, from 0, or None.

    Raises:
        DataError: no such file, another format, cut short, or without what was asked for.
    """
    with _opened(path) as file:
        matrix = as_matrix(_item(file, path, x), path, x)
        found = _labels(file, path, labels)
        y = None if found is None else _codes(found, path, len(matrix))
    return torch.from_numpy(matrix), y


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    h5py: Any = optional("h5py")
    if not path.is_file():
        raise DataError(f"{path} does not exist or is no file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    # h5py's for what is cut short or altered, and those of items of another kind
    except (OSError, KeyError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged or not an HDF5 file: {error}") from error


def _item(file: Any, path: Path, name: str) -> Any:
    if name not in file:
        raise DataError(f"{path} has no {name!r}; it holds {', '.join(file) or 'nothing'}")
    return file[name]


def _labels(file: Any, path: Path, name: str | None) -> Any:
    """The values of the labels, as an array of numbers or strings."""
    if name is None:
        return file["Y"][()] if "Y" in file and hasattr(file["Y"], "shape") else None
    obs = file.get("obs", {})
    columns = obs.dtype.names or () if hasattr(obs, "dtype") else obs
    item = obs[name] if name in columns else _item(file, path, name)
    if hasattr(item, "shape"):
        return np.asarray(item[()])
    if "codes" in item and "categories" in item:  # a categorical column
        codes, categories = item["codes"][()], item["categories"][()]
        if codes.size and not (codes.min() >= 0 and codes.max() < len(categories)):
            raise DataError(f"{path}: {name} has codes without a category")
        return categories[codes]
    raise DataError(f"{path}: {name} holds no labels")


def _codes(found: Any, path: Path, rows: int) -> Tensor:
    if found.ndim != 1 or len(found) != rows:
        raise DataError(f"{path}: there must be {rows} labels, one for each row, got {found.shape}")
    if found.dtype.kind == "O":
        found = np.asarray([v.decode() if isinstance(v, bytes) else str(v) for v in found])
    return torch.from_numpy(np.unique(found, return_inverse=True)[1].astype(np.int64))
