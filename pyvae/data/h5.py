"""HDF5 files (.h5, .hdf5, .h5ad): matrices, dense or sparse, and images, with labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.data.h5_columns import read_labels
from pyvae.data.images import channels_first, grey_levels
from pyvae.data.matrices import (
    check_corrected,
    check_counts,
    check_finite,
    read_dense,
    read_sparse,
)
from pyvae.errors import DataError, optional
from pyvae.registry import datasets

__all__ = ["h5", "is_h5_path", "read_h5"]

SUFFIXES = (".h5", ".hdf5", ".h5ad")
VALUES = ("counts", "corrected", "levels", "real")
ITEMS = ("X", "images")  # what is looked for, in this order, where no item is named


def is_h5_path(name: str) -> bool:
    """Whether the name of a data set is that of an HDF5 file."""
    return name.endswith(SUFFIXES)


@datasets.register("h5")
def h5(
    *,
    path: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    x: str | None = None,
    labels: str | None = None,
    values: str | None = None,
    channels: str | None = None,
    name: str | None = None,
) -> DataSplits:
    """Data from an HDF5 file, shuffled, split 80 / 10 / 10 per cent.

    ``--dataset FILE.h5`` is short for this one. The first dimension counts the data: a matrix
    (N, D), or images (N, H, W), (N, H, W, C) or (N, C, H, W), which become (N, C, H, W).

    Args:
        path: the file
        data_dir: ignored
        x: what holds the data: an array, or a group of data, indices and indptr (a sparse matrix);
            default: ``X``, else ``images``
        labels: what holds N labels; default: ``Y`` where there is one. In ``.h5ad`` files a column
            of ``obs``, by its name. Rows without a label are one class, "unlabelled"
        values: "counts": whole numbers of at least 0, with their totals as the side input
            ``library``; "corrected": the same for counts that some correction has made fractional
            (ambient RNA, say); "levels": grey levels from 0 to 255; "real": any finite numbers.
            Default: "counts" for a matrix, "levels" for images of whole numbers, "real" for others
        channels: where the channels of images are: "first" or "last"; default: the one of these
            dimensions that is 1 or 3
        name: what the data set is called; default: the file's name

    Raises:
        DataError: no such file or item, another format, values of another kind, or more of them
            than fit into memory.
        MissingExtraError: h5py is not installed.
    """
    path = Path(path).expanduser()
    whole, levels = read_h5(path, x, labels, values, channels)
    held = len(whole) // 10
    if not held:
        raise DataError(f"{path} must have at least 10 rows to be split, got {len(whole)}")
    splits = shuffled(whole, (len(whole) - 2 * held, held, held))
    return DataSplits(name or path.stem, *splits, levels=levels)


def read_h5(
    path: Path,
    x: str | None = None,
    labels: str | None = None,
    values: str | None = None,
    channels: str | None = None,
) -> tuple[Split, int | None]:
    """All data of a file in its own order, and their highest level where they are levels.

    The arguments are those of :func:`h5`. Levels are uint8, other values float32, classes int64.

    Raises:
        DataError: as :func:`h5`.
    """
    if values not in (None, *VALUES):
        raise DataError(f"h5: values must be {', '.join(VALUES[:-1])} or real, got {values!r}")
    with _opened(path) as file:
        x = x or next((name for name in ITEMS if name in file), ITEMS[0])
        if x not in file:
            holds = ", ".join(file) or "nothing"
            raise DataError(f"{path} has no {x!r}; it holds {holds}: name the data with x=NAME")
        where = f"{path}: {x}"
        item = file[x]
        dense = hasattr(item, "shape")
        values = values or _usual(item if dense else None)
        if not dense:
            array = read_sparse(item, where)
        else:
            array = read_dense(item, where, None if values == "levels" else np.float32)
        y = read_labels(file, path, labels, len(array))
    levels = None
    if values == "levels":
        array, levels = grey_levels(array, where)
    data = torch.from_numpy(channels_first(array, where, channels))
    return Split(data, y, _checked(data, values, where)), levels


def _usual(item: Any) -> str:
    """The values that an array is taken to hold, None being a sparse matrix."""
    if item is None or len(item.shape) < 3:
        return "counts"
    return "levels" if item.dtype.kind in "bui" else "real"


def _checked(data: torch.Tensor, values: str, where: str) -> dict[str, torch.Tensor]:
    """The side inputs of data that are what they are said to be."""
    if values in ("counts", "corrected"):
        (check_counts if values == "counts" else check_corrected)(data, where)
        return {"library": data.flatten(1).sum(1)}
    check_finite(data, where)
    return {}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    h5py: Any = optional("h5py")
    if not path.is_file():
        raise DataError(f"{path} does not exist or is not a file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} takes more memory than there is: {error}") from error
    # h5py's for what is cut short or altered, and those of items of another kind
    except (OSError, KeyError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged or not an HDF5 file: {error}") from error
