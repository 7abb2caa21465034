"""Sparse matrices in HDF5 files, as anndata and 10x write them, whose rows are dense when read."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.memory import check_memory
from pyvae.errors import DataError, optional

__all__ = ["SparseRows", "sparse_rows"]

Array = np.ndarray[Any, np.dtype[Any]]

_TURNING = 4  # times as much memory is needed to turn columns into rows


class SparseRows:
    """Compressed sparse rows (N, D), of which a slice reads and fills those of the slice.

    Args:
        data, indices: values, and the column of each: arrays, or what reads slices of them
        starts: where each row begins in them, and where the last one ends (N + 1,)
        columns: D
        where: what they are called in messages
    """

    lasting = True
    dtype = np.dtype(np.float32)

    def __init__(self, data: Any, indices: Any, starts: Array, columns: int, where: str) -> None:
        self._data, self._indices, self._starts, self._where = data, indices, starts, where
        self.shape = (len(starts) - 1, columns)

    def __getitem__(self, rows: slice) -> Array:
        begin, end, _ = rows.indices(self.shape[0])
        starts = self._starts[begin : max(end, begin) + 1]
        part = slice(int(starts[0]), int(starts[-1]))
        data, indices = self._data[part], self._indices[part]
        dense = np.zeros((len(starts) - 1, self.shape[1]), dtype=np.float32)
        if len(indices) and not 0 <= indices.min() <= indices.max() < self.shape[1]:
            raise _apart(self._where, self.shape)
        owner = np.repeat(np.arange(len(dense)), np.diff(starts))
        np.add.at(dense, (owner, indices), data)  # doubles are summed
        return dense


def sparse_rows(path: Path, name: str, where: str) -> SparseRows:
    """A group of compressed sparse rows or columns.

    Rows stay in the file; columns are turned into rows in memory, without being made dense.

    Args:
        path: the file
        name: of the group in it
        where: the file and the group, for messages

    Raises:
        DataError: parts that are missing or do not belong together, or more than fits memory.
    """
    file = optional("h5py").File(path, "r")  # its own, for as long as rows are wanted
    group = file[name]
    missing = [part for part in ("data", "indices", "indptr") if part not in group]
    if missing:
        raise DataError(
            f"{where} is neither an array nor a sparse matrix: it has no {missing[0]!r}"
        )
    shape = _shape(group, where)
    kind = group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr_matrix"))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    outer, inner = reversed(shape) if kind.startswith("csc") else shape
    data, indices = group["data"], group["indices"]
    if data.shape != indices.shape or data.ndim != 1 or group["indptr"].shape != (outer + 1,):
        raise _apart(where, shape)
    starts = group["indptr"][()].astype(np.int64)
    if (np.diff(starts) < 0).any() or starts[0] != 0 or starts[-1] != len(data):
        raise _apart(where, shape)
    if kind.startswith("csc"):
        needed = _TURNING * len(data) * (data.dtype.itemsize + 8)
        check_memory(needed, where, "turning the columns of the sparse matrix into rows")
        data, rows = data[()], indices[()]
        if len(rows) and not 0 <= rows.min() <= rows.max() < inner:
            raise _apart(where, shape)
        order = np.argsort(rows, kind="stable")
        columns = np.repeat(np.arange(outer), np.diff(starts))
        data, indices = data[order], columns[order]
        starts = np.append(0, np.cumsum(np.bincount(rows, minlength=inner)))
        file.close()
    found = SparseRows(data, indices, starts, shape[1], where)
    weakref.finalize(found, file.close)
    return found


def _shape(group: Any, where: str) -> tuple[int, int]:
    shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
    if shape is None and "shape" in group:
        shape = group["shape"][()]
    if shape is None or len(shape) != 2:
        raise DataError(f"{where}: the sparse matrix does not state its shape")
    return int(shape[0]), int(shape[1])


def _apart(where: str, shape: tuple[int, int]) -> DataError:
    return DataError(
        f"{where}: the parts of the sparse matrix {shape[0]} x {shape[1]} do not belong together"
    )
