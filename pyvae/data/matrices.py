"""Arrays of numbers as files hold them, dense or sparse, and checks of what is in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.memory import check_memory
from pyvae.errors import DataError

__all__ = ["check_corrected", "check_counts", "check_observed", "read_dense", "read_sparse"]

Array = np.ndarray[Any, np.dtype[Any]]
EXACT = 2**24  # whole numbers below are themselves in float32
COPIES = 2  # what is read, and the splits that are cut from it
BLOCK = 2**24  # numbers that are read or looked at in one go

_PLACES = {2: ("row", "column"), 4: ("image", "channel", "row", "column")}  # by dimensions


def read_dense(item: Any, where: str, dtype: type[np.generic] | None = np.float32) -> Array:
    """An array (N, ...) of numbers in memory.

    Args:
        item: what has a shape, a dtype and slices of rows, such as a dataset of h5py
        where: the file and the item, for messages
        dtype: what it becomes; None leaves it as it is stored

    Raises:
        DataError: more than fits memory.
    """
    shape = item.shape
    kind = np.dtype(dtype or item.dtype)
    _check_size(shape, kind.itemsize, where)
    found = np.empty(shape, dtype=kind)
    rows = max(1, BLOCK // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], rows):  # so that other dtypes are never held whole
        found[start : start + rows] = item[start : start + rows]
    return found


def read_sparse(group: Any, where: str) -> Array:
    """A group of compressed sparse rows or columns, as a dense float32 matrix (N, D).

    Args:
        group: what h5py gives for it
        where: the file and the group, for messages

    Raises:
        DataError: parts that are missing or do not belong together, or more than fits memory.
    """
    missing = [part for part in ("data", "indices", "indptr") if part not in group]
    if missing:
        raise DataError(
            f"{where} is neither an array nor a sparse matrix: it has no {missing[0]!r}"
        )
    rows, columns = _shape(group, where)
    kind = group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr_matrix"))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    by_column = kind.startswith("csc")
    outer, inner = (columns, rows) if by_column else (rows, columns)
    sizes = [group[part].shape for part in ("data", "indices", "indptr")]
    whole = sizes[0] == sizes[1] and len(sizes[0]) == 1 and sizes[2] == (outer + 1,)
    if whole:
        _check_size((rows, columns), 4, where, "as a dense matrix, ")
        data, indices, indptr = (group[part][()] for part in ("data", "indices", "indptr"))
        ordered = bool((np.diff(indptr) >= 0).all()) and int(indptr[0]) == 0
        inside = not len(indices) or (indices.min() >= 0 and indices.max() < inner)
        whole = ordered and inside and len(data) == int(indptr[-1])
    if not whole:
        raise DataError(
            f"{where}: the parts of the sparse matrix {rows} x {columns} do not belong together"
        )
    owner = np.repeat(np.arange(outer), np.diff(indptr))
    dense = np.zeros((rows, columns), dtype=np.float32)
    np.add.at(
        dense, (indices, owner) if by_column else (owner, indices), data
    )  # doubles are summed
    return dense


def _shape(group: Any, where: str) -> tuple[int, int]:
    shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
    if shape is None and "shape" in group:
        shape = group["shape"][()]
    if shape is None or len(shape) != 2:
        raise DataError(f"{where}: the sparse matrix does not state its shape")
    return int(shape[0]), int(shape[1])


def _check_size(shape: tuple[int, ...], itemsize: int, where: str, form: str = "") -> None:
    size = " x ".join(map(str, shape))
    what = f"{form}{size} numbers of {itemsize} bytes, and again for the three splits,"
    check_memory(COPIES * itemsize * math.prod(shape), where, what)


def check_observed(x: Tensor, where: str) -> None:
    """Raise DataError with the first place of x (N, ...) that is infinite; NaN is a missing one."""
    _refuse(x, lambda rows: ~rows.isinf(), where, "finite numbers, or NaN where they are missing")


def check_counts(x: Tensor, where: str) -> None:
    """Raise DataError with the first place of x (N, D) that is not a count, or a row of zeros."""
    _refuse(
        x,
        lambda rows: (rows >= 0) & (rows == rows.round()) & (rows < EXACT),
        where,
        "counts (whole numbers from 0 to 2^24 - 1); values=corrected takes fractions of at least "
        "0, values=real anything finite",
    )
    _refuse_empty(x, where)


def check_corrected(x: Tensor, where: str) -> None:
    """Raise DataError with the first place of x (N, D) below 0 or not finite, or a row of zeros."""
    _refuse(x, lambda rows: (rows >= 0) & rows.isfinite(), where, "finite numbers of at least 0")
    _refuse_empty(x, where)


def _refuse_empty(x: Tensor, where: str) -> None:
    empty = (x.flatten(1).sum(1) == 0).nonzero()
    if len(empty):
        raise DataError(
            f"{where}: row {int(empty[0])} has no counts at all ({len(empty)} such rows); "
            f"leave them out"
        )


def _refuse(x: Tensor, good: Callable[[Tensor], Tensor], where: str, expected: str) -> None:
    if not x.numel():
        raise DataError(f"{where} is empty: {tuple(x.shape)}")
    rows = max(1, BLOCK // x[0].numel())
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        bad = ~good(block)
        if bool(bad.any()):
            place = [int(i) for i in torch.nonzero(bad)[0]]
            value = block[tuple(place)].item()
            place[0] += start
            names = _PLACES.get(x.ndim, ("row", *("index",) * (x.ndim - 1)))
            said = ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=True))
            raise DataError(f"{where} must hold {expected}, got {value:g} in {said}")
