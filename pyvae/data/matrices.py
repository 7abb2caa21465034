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

__all__ = ["BLOCK", "check", "check_counts", "read_sparse"]

Array = np.ndarray[Any, np.dtype[Any]]
EXACT = 2**24  # whole numbers below are themselves in float32
COPIES = 2  # what is read, and the rows in another order
BLOCK = 2**24  # numbers that are read or looked at in one go

_PLACES = {2: ("row", "column"), 4: ("image", "channel", "row", "column")}  # by dimensions


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
    what = f"{form}{size} numbers of {itemsize} bytes, and again in another order,"
    check_memory(COPIES * itemsize * math.prod(shape), where, what)


def check_counts(x: Tensor, where: str, start: int = 0) -> None:
    """Raise DataError with the first place of x (N, D) that is not a count, or a row of zeros."""
    _refuse(
        x,
        lambda rows: (rows >= 0) & (rows == rows.round()) & (rows < EXACT),
        where,
        "counts (whole numbers from 0 to 2^24 - 1); values=corrected takes fractions of at least "
        "0, values=real anything finite",
        start,
    )
    _refuse_empty(x, where, start)


def check(values: str, x: Tensor, where: str, start: int = 0) -> None:
    """Look at rows that are said to hold counts, corrected counts or real values.

    Args:
        values: "counts", "corrected" or "real", where NaN is a missing value
        x: the rows (N, ...)
        where: where they come from, for messages
        start: the number of the first of them

    Raises:
        DataError: with the first place that holds something else, or a row of counts without any.
    """
    if values == "counts":
        check_counts(x, where, start)
    elif values == "corrected":
        expected = "finite numbers of at least 0"
        _refuse(x, lambda rows: (rows >= 0) & rows.isfinite(), where, expected, start)
        _refuse_empty(x, where, start)
    else:
        expected = "finite numbers, or NaN where they are missing"
        _refuse(x, lambda rows: ~rows.isinf(), where, expected, start)


def _refuse_empty(x: Tensor, where: str, start: int) -> None:
    empty = (x.flatten(1).sum(1) == 0).nonzero()
    if len(empty):
        raise DataError(f"{where}: row {start + int(empty[0])} has no counts at all; leave it out")


def _refuse(
    x: Tensor, good: Callable[[Tensor], Tensor], where: str, expected: str, start: int
) -> None:
    bad = ~good(x)
    if bool(bad.any()):
        place = [int(i) for i in torch.nonzero(bad)[0]]
        value = x[tuple(place)].item()
        place[0] += start
        names = _PLACES.get(x.ndim, ("row", *("index",) * (x.ndim - 1)))
        said = ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=True))
        raise DataError(f"{where} must hold {expected}, got {value:g} in {said}")
