"""Matrices of numbers as files hold them, and checks of what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.errors import DataError

__all__ = ["as_matrix", "check_counts", "check_finite"]

Array = np.ndarray[Any, np.dtype[Any]]
EXACT = 2**24  # whole numbers below are themselves in float32


def as_matrix(item: Any, path: Path, name: str) -> Array:
    """A data set (N, D), or a group of compressed sparse rows or columns, as dense float32.

    Args:
        item: what h5py gives for it
        path, name: of the item, for messages

    Raises:
        DataError: neither of these, or parts that do not belong together.
    """
    if hasattr(item, "shape"):
        if len(item.shape) != 2 or item.dtype.kind not in "buif":
            raise DataError(
                f"{path}: {name} must be a matrix of numbers, got {item.shape} {item.dtype}"
            )
        dense: Array = item[()].astype(np.float32)
        return dense
    missing = [part for part in ("data", "indices", "indptr") if part not in item]
    if missing:
        raise DataError(
            f"{path}: {name} is neither a matrix nor a sparse one: it has no {missing[0]!r}"
        )
    return _from_sparse(item, f"{path}: {name}")


def _from_sparse(group: Any, where: str) -> Array:
    data, indices, indptr = (group[part][()] for part in ("data", "indices", "indptr"))
    shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
    if shape is None and "shape" in group:
        shape = group["shape"][()]
    if shape is None or len(shape) != 2:
        raise DataError(f"{where}: the sparse matrix does not state its shape")
    kind = group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr_matrix"))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    rows, columns = int(shape[0]), int(shape[1])
    by_column = kind.startswith("csc")
    outer, inner = (columns, rows) if by_column else (rows, columns)
    whole = len(indptr) == outer + 1 and len(data) == len(indices) == int(indptr[-1])
    ordered = bool((np.diff(indptr) >= 0).all()) and int(indptr[0]) == 0
    inside = not len(indices) or (indices.min() >= 0 and indices.max() < inner)
    if not (whole and ordered and inside):
        raise DataError(
            f"{where}: the parts of the sparse matrix {rows} x {columns} do not belong together"
        )
    dense = np.zeros((outer, inner), dtype=np.float32)
    owner = np.repeat(np.arange(outer), np.diff(indptr))
    np.add.at(dense, (owner, indices), data)  # entries of one place are summed
    return np.ascontiguousarray(dense.T) if by_column else dense


def check_finite(x: Tensor, where: str) -> None:
    """Raise DataError with the first place of x (N, D) that is NaN or infinite."""
    _refuse(x, ~x.isfinite(), where, "finite numbers")


def check_counts(x: Tensor, where: str) -> None:
    """Raise DataError with the first place of x (N, D) that is no count, or a row without any."""
    bad = ~((x >= 0) & (x == x.round()) & (x < EXACT))
    _refuse(x, bad, where, "counts (whole numbers from 0 to 2^24 - 1); for others take values=real")
    empty = (x.sum(1) == 0).nonzero()
    if len(empty):
        raise DataError(
            f"{where}: row {int(empty[0])} has no counts at all ({len(empty)} such rows); "
            f"leave them out"
        )


def _refuse(x: Tensor, bad: Tensor, where: str, expected: str) -> None:
    if not len(x) or not x.shape[1]:
        raise DataError(f"{where} is empty: {tuple(x.shape)}")
    if bool(bad.any()):
        row, column = (int(i) for i in torch.nonzero(bad)[0])
        raise DataError(
            f"{where} must hold {expected}, got {x[row, column].item():g} in row {row}, "
            f"column {column}"
        )
