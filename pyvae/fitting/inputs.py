"""What a person has in Python, as rows of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from pyvae.batch import Batch
from pyvae.data.base import DataSplits, shuffled
from pyvae.data.memory import check_memory
from pyvae.errors import DataError

__all__ = ["as_batch", "as_splits", "levels_of", "takes_whole"]

EXACT = 2**24  # whole numbers below are themselves in float32
NAMES = (
    "a tensor, a numpy array, a data frame of pandas or polars, an AnnData, a scipy sparse matrix, "
    "a torch Dataset or DataLoader, a pyvae.data.DataSplits or a pyvae.batch.Batch"
)


def takes_whole(data: Any) -> bool:
    """Whether data lie in memory as a whole, and are no iterator over something else."""
    return isinstance(data, (Tensor, Batch, TensorDataset)) or _kind(data) is not None


def as_batch(data: Any, labels: Any = None, what: str = "data") -> Batch:
    """Data that lie in memory as one batch.

    Grey levels (uint8), bits (bool) and floats stay what they are; other whole numbers become
    floats of 32 bits.

    Args:
        data: see :data:`NAMES`
        labels: one for each row, or the name of the column that holds them in a data frame or in
            ``obs`` of an AnnData
        what: what the data are called, for messages

    Raises:
        TypeError: something else.
        DataError: it holds other things than numbers, has no rows, or does not fit into memory.
    """
    if isinstance(data, Batch):
        batch = data
    elif isinstance(data, TensorDataset):
        x, *y = data.tensors
        batch = Batch(_numbers(x, what), y[0] if y else None)
    elif isinstance(data, Tensor):
        batch = Batch(_numbers(data, what))
    else:
        x, named = _READERS[_kind(data) or "other"](data, labels, what)
        batch, labels = Batch(_numbers(x, what)), named
    if labels is not None:
        if isinstance(labels, str):
            raise DataError(f"{what}: labels={labels!r} names a column, which a tensor has not")
        batch = Batch(batch.x, _classes(labels), batch.extras)
    if batch.x.ndim < 2 or not len(batch):
        raise DataError(f"{what} must have rows and columns, (N, D) or more, got {_size(batch.x)}")
    for name, values in (("labels", batch.y), *batch.extras.items()):
        if values is not None and len(values) != len(batch):
            raise DataError(f"{what}: there are {len(batch)} rows and {len(values)} of {name}")
    return batch


def as_splits(
    whole: Batch, held_out: Batch | float, levels: int | None, seed: int, name: str
) -> DataSplits:
    """Training and validation rows; there are none for testing.

    Args:
        whole: the training rows, and where a share of them is held out, these too
        held_out: the validation rows, or their share of the whole
        levels: the highest grey level, None where values are not levels
        seed: of the shuffle, where a share is held out
        name: what the data are called

    Raises:
        DataError: no row would be left, or the two are of different shapes.
    """
    if isinstance(held_out, Batch):
        train, valid = whole, held_out
        if train.x.shape[1:] != valid.x.shape[1:]:
            raise DataError(f"valid has rows of {_size(valid.x)}, the data of {_size(train.x)}")
    else:
        number = round(held_out * len(whole))
        if held_out > 0 and not 0 < number < len(whole):
            raise DataError(
                f"a share of {held_out:g} of {len(whole)} rows leaves none for "
                f"{'training' if number else 'validation'}; give valid=0, or rows of its own"
            )
        train, valid = whole, whole[:0]
        if number:
            train, valid, _ = shuffled(whole, (len(whole) - number, number, 0), seed)
    return DataSplits(name, train, valid, valid[:0], levels)


def levels_of(x: Tensor) -> int | None:
    """The highest grey level of bytes, 255 or, where all are zeros and ones, 1; 1 of bits."""
    if x.dtype == torch.bool:
        return 1
    if x.dtype != torch.uint8:
        return None
    return 255 if x.numel() and int(x.max()) > 1 else 1


def _kind(data: Any) -> str | None:
    """Which library's object this is, of those that are known, without importing any."""
    for kind in type(data).__mro__:
        home = kind.__module__.partition(".")[0]
        if (home, kind.__name__) in _KINDS:
            return _KINDS[home, kind.__name__]
        if home == "scipy" and kind.__module__.startswith("scipy.sparse"):
            return "sparse"
    return None


_KINDS = {
    ("numpy", "ndarray"): "array",
    ("pandas", "DataFrame"): "frame",
    ("polars", "DataFrame"): "frame",
    ("anndata", "AnnData"): "cells",
}


def _array(data: Any, labels: Any, what: str) -> tuple[Tensor, Any]:
    if data.dtype.kind not in "buif":
        raise DataError(f"{what} must hold numbers, got an array of {data.dtype}")
    import numpy as np

    native = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
    if native.dtype.kind == "u" and native.dtype.itemsize > 1:  # which torch knows little of
        native = native.astype(np.int64 if native.dtype.itemsize < 8 else np.float64)
    if native.dtype == np.longdouble:
        native = native.astype(np.float64)
    return torch.tensor(native), labels


def _frame(data: Any, labels: Any, what: str) -> tuple[Tensor, Any]:
    columns = list(data.columns)
    if isinstance(labels, str):
        if labels not in columns:
            raise DataError(f"{what} has no column {labels!r} of labels; it has {_few(columns)}")
        columns.remove(labels)
        labels = data[labels].to_numpy()
    arrays = {name: data[name].to_numpy() for name in columns}
    wrong = [name for name, array in arrays.items() if array.dtype.kind not in "buif"]
    if wrong:
        raise DataError(
            f"{what} must hold numbers: the column {wrong[0]!r} holds {arrays[wrong[0]].dtype}; "
            f"leave it out, or name it with labels={wrong[0]!r}"
        )
    if not arrays:
        raise DataError(f"{what} has no columns of numbers")
    import numpy as np

    return torch.from_numpy(np.stack([a.astype(np.float32) for a in arrays.values()], 1)), labels


def _cells(data: Any, labels: Any, what: str) -> tuple[Tensor, Any]:
    if isinstance(labels, str):
        if labels not in data.obs.columns:
            raise DataError(
                f"{what}: obs has no column {labels!r}; it has {_few(data.obs.columns)}"
            )
        labels = data.obs[labels].to_numpy()
    x = data.X
    if x is None:
        raise DataError(f"{what}: the AnnData has no X")
    kind = _kind(x)
    if kind not in ("array", "sparse"):  # backed by a file: read it now
        x = x[:]
        kind = _kind(x)
    return _READERS[kind or "other"](x, labels, what)


def _sparse(data: Any, labels: Any, what: str) -> tuple[Tensor, Any]:
    rows, columns = data.shape
    check_memory(4 * rows * columns, what, f"as a dense matrix, {rows} x {columns} numbers")
    import numpy as np

    return torch.from_numpy(np.asarray(data.astype(np.float32).todense())), labels


def _other(data: Any, labels: Any, what: str) -> tuple[Tensor, Any]:
    raise TypeError(f"{what} must be {NAMES}, got a {type(data).__name__}")


_READERS = {"array": _array, "frame": _frame, "cells": _cells, "sparse": _sparse, "other": _other}


def _numbers(x: Tensor, what: str) -> Tensor:
    """Values as training takes them: grey levels, bits and floats as they are."""
    if x.layout != torch.strided:
        x = x.to_dense()
    if x.is_complex():
        raise DataError(f"{what} must hold real numbers, got {x.dtype}")
    if x.dtype in (torch.uint8, torch.bool):
        return x.detach()
    if not x.is_floating_point():
        if x.numel() and int(x.abs().max()) >= EXACT:
            raise DataError(f"{what}: whole numbers must be below 2^24, got {int(x.abs().max())}")
        return x.float()
    return x.detach()


def _classes(labels: Any) -> Tensor:
    """Labels as whole numbers, the names of classes in their order."""
    if isinstance(labels, Tensor):
        return labels
    import numpy as np

    values = np.asarray(labels)
    if values.dtype.kind in "iub":
        return torch.as_tensor(values.astype(np.int64))
    return torch.as_tensor(np.unique(values.astype(str), return_inverse=True)[1].reshape(-1))


def _size(x: Tensor) -> str:
    return " x ".join(map(str, x.shape)) or "a single number"


def _few(names: Sequence[Any]) -> str:
    shown = [str(name) for name in list(names)[:10]]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
