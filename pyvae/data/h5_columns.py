"""Columns of labels in HDF5 files, as anndata has written them since 2019, and plain ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pyvae.data.labels import as_classes
from pyvae.errors import DataError

__all__ = ["read_labels"]

Array = np.ndarray[Any, np.dtype[Any]]
Column = tuple[Array, Array | None]  # values, and which of them are missing


def read_labels(file: Any, path: Path, name: str | None, rows: int) -> Tensor | None:
    """The labels as classes (rows,), or None where none are asked for and there is no ``Y``.

    Args:
        file: an open h5py.File
        path: its path, for messages
        name: a column of ``obs``, or an item of the file; None for ``Y``
        rows: how many labels there must be

    Raises:
        DataError: nothing has this name, or what has it holds no labels.
    """
    if name is None:
        if "Y" not in file or not hasattr(file["Y"], "shape"):
            return None
        name = "Y"
    obs = file.get("obs", {})
    columns = _columns(obs)
    if name in columns:
        item = obs[name]
    elif name in file:
        item = file[name]
    elif columns:
        raise DataError(f"{path} has no labels {name!r}; the columns of obs are {_list(columns)}")
    else:
        raise DataError(f"{path} has no {name!r}; it holds {_list(file)}")
    where = f"{path}: {name}"
    values, missing = _column(file, item, where)
    return as_classes(values, missing, where, rows)


def _columns(obs: Any) -> list[str]:
    """The names of the columns of ``obs``: a group, or a table in files of before 2019."""
    if hasattr(obs, "dtype"):
        return list(obs.dtype.names or ())
    index = obs.attrs.get("_index", "_index") if hasattr(obs, "attrs") else "_index"
    return [name for name in obs if name not in (index, "__categories")]


def _list(names: Any) -> str:
    return ", ".join(names) or "nothing"


def _column(file: Any, item: Any, where: str) -> Column:
    """Each encoding's values, and which of them are missing where it can say so."""
    if hasattr(item, "shape"):
        values = np.asarray(item[()])
        categories = item.attrs.get("categories") if hasattr(item, "attrs") else None
        if categories is None:
            return values, None
        return _chosen(values, _column(file, file[categories], where), where)  # anndata 0.7
    if "codes" in item and "categories" in item:
        return _chosen(item["codes"][()], _column(file, item["categories"], where), where)
    if "values" in item and "mask" in item:  # strings, integers and booleans with missing values
        values, missing = item["values"][()], item["mask"][()]
        if missing.shape != values.shape:
            raise DataError(f"{where} has {values.shape} values and a mask of {missing.shape}")
        return values, missing
    raise DataError(f"{where} holds no labels")


def _chosen(codes: Array, categories: Column, where: str) -> Column:
    """The category of each code; -1 is a missing one."""
    names, _ = categories
    if codes.dtype.kind not in "iu" or (
        codes.size and not -1 <= codes.min() <= codes.max() < len(names)
    ):
        raise DataError(f"{where} has codes without a category")
    if not len(names):
        return np.zeros(codes.shape, dtype=np.int64), codes < 0
    return names[codes], codes < 0
