"""HDF5 files (.h5, .hdf5, .h5ad): arrays of any number of dimensions, and sparse matrices."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.h5_columns import fields_of
from pyvae.data.readers.h5_sparse import sparse_rows
from pyvae.data.row_file import RowFile
from pyvae.errors import DataError, optional
from pyvae.registry import readers

__all__ = ["H5"]

ITEMS = ("X", "images")  # what is looked for, in this order, where no item is named


@readers.register("h5")
class H5(Reader):
    """An array or a sparse matrix in an HDF5 file, such as h5py and anndata write.

    Matrices are counts unless ``values`` says otherwise. The columns of ``obs`` are fields.

    Args:
        x: what holds the data: an array, or a group of data, indices and indptr (a sparse matrix);
            default: ``X``, else ``images``
        layer: the layer of an .h5ad file that holds the data: short for ``x=layers/NAME``
    """

    suffixes = (".h5", ".hdf5", ".h5ad")

    def __init__(self, *, x: str | None = None, layer: str | None = None) -> None:
        if x is not None and layer is not None:
            raise DataError(f"give x={x} or layer={layer}, not both")
        self.x = f"layers/{layer}" if layer is not None else x

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The array, read from the file as it is sliced; ``Y`` are labels."""
        h5py: Any = optional("h5py")
        with said_of(path, "an HDF5 file"), h5py.File(path, "r") as file:
            name = self.x or next((name for name in ITEMS if name in file), ITEMS[0])
            if name not in file:
                holds = list_of(file["layers"] if name.startswith("layers/") else file)
                raise DataError(
                    f"{path} has no {name!r}; it holds {holds}: name the data with x=NAME"
                )
            item, where = file[name], f"{path}: {name}"
            dense = hasattr(item, "shape")
            fields = fields_of(file, path, aside)
            yield Rows(
                _rows_of(file, item, path, where) if dense else sparse_rows(path, name, where),
                where,
                fields,
                labels="Y" if hasattr(file.get("Y"), "shape") else None,
                values=_usual(item if dense else None),
            )


def _rows_of(file: Any, item: Any, path: Path, where: str) -> Any:
    """An array of which rows can be read without h5py, where they lie one behind the other."""
    start = item.id.get_offset()  # None of chunks, and of what was never written
    plain = item.dtype.kind in "buif" and item.shape and not file.userblock_size
    if start is None or not plain:
        return item
    return RowFile(path, where, start, item.shape, item.dtype)


def _usual(item: Any) -> str | None:
    """The values that an array is taken to hold, None being a sparse matrix."""
    if item is None or len(item.shape) == 2:
        return "counts"
    if len(item.shape) < 2:
        return None
    return "levels" if item.dtype.kind in "bui" else "real"
