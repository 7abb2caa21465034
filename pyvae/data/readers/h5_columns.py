"""Columns in HDF5 files, as anndata has written them since 2019, and plain ones."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.errors import DataError

__all__ = ["fields_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def fields_of(file: Any, path: Path, asked: Collection[str]) -> Fields:
    """The columns of ``obs``, and whatever else in the file is asked for by its name.

    Args:
        file: an open h5py.File
        path: its path, for messages
        asked: names of columns or items
    """
    obs = file.get("obs", {})
    columns = _columns(obs)
    lists = [name for name in file if len(getattr(file[name], "shape", ())) == 1]

    def read(name: str) -> Field:
        return _column(file, obs[name] if name in columns else file[name], f"{path}: {name}")

    return Fields([*columns, *lists, *(name for name in asked if name in file)], read)


def _columns(obs: Any) -> list[str]:
    """The names of the columns of ``obs``: a group, or a table in files of before 2019."""
    if hasattr(obs, "dtype"):
        return list(obs.dtype.names or ())
    index = obs.attrs.get("_index", "_index") if hasattr(obs, "attrs") else "_index"
    return [name for name in obs if name not in (index, "__categories")]


def _column(file: Any, item: Any, where: str) -> Field:
    """Each encoding's values, and which of them are missing where it can say so."""
    if hasattr(item, "shape"):
        values = np.asarray(item[()])
        categories = item.attrs.get("categories") if hasattr(item, "attrs") else None
        if categories is None:
            return Field(values)
        return _chosen(values, _column(file, file[categories], where), where)  # anndata 0.7
    if "codes" in item and "categories" in item:
        return _chosen(item["codes"][()], _column(file, item["categories"], where), where)
    if "values" in item and "mask" in item:  # strings, integers and booleans with missing values
        values, missing = item["values"][()], item["mask"][()]
        if missing.shape != values.shape:
            raise DataError(f"{where} has {values.shape} values and a mask of {missing.shape}")
        return Field(values, missing)
    raise DataError(f"{where} holds no labels")


def _chosen(codes: Array, categories: Field, where: str) -> Field:
    """The category of each code; -1 is a missing one."""
    names = categories.values
    if codes.dtype.kind not in "iu" or (
        codes.size and not -1 <= codes.min() <= codes.max() < len(names)
    ):
        raise DataError(f"{where} has codes without a category")
    if not len(names):
        return Field(np.zeros(codes.shape, dtype=np.int64), codes < 0)
    return Field(names[codes], codes < 0)
