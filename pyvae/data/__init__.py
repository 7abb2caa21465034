"""Data sets as tensors, and minibatches of them."""

from __future__ import annotations

import os
from typing import Any

# One import per data set: importing it registers it.
from pyvae.data import binarized_mnist, digits, freyface, mnist, pbmc, toy2d  # noqa: F401
from pyvae.data.base import DataSplits, Split
from pyvae.data.batches import Batches
from pyvae.data.binarize import View, draw_bits, view
from pyvae.data.h5 import is_h5_path
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["Batches", "DataError", "DataSplits", "Split", "View", "draw_bits", "load", "view"]


def load(
    name: str, /, data_dir: str | os.PathLike[str] | None = None, **options: Any
) -> DataSplits:
    """A registered data set by name, or the HDF5 file of this path.

    Args:
        name: one of ``pyvae.registry.datasets.names()``, or a path that ends in .h5, .hdf5 or
            .h5ad: see :func:`pyvae.data.h5.h5`
        data_dir: the folder of local files and downloads; default: the environment's
            PYVAE_DATA_DIR, else the user's cache folder
        options: the data set's own options

    Raises:
        UnknownPartError: no data set has this name.
        DataError: a file is missing, cut short, altered, or of another format.

    Example:
        >>> import pyvae.data
        >>> pyvae.data.load("digits").data_shape
        (1, 8, 8)
    """
    if is_h5_path(name):
        name, options = "h5", {"path": name, **options}
    splits: DataSplits = datasets.create(name, data_dir=data_dir, **options)
    return splits
