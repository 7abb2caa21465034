"""Folders that the library datasets of Hugging Face saved with ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.forward import Forward
from pyvae.data.readers.frame import field_of, numbers
from pyvae.data.readers.pictures import Picture, Pictures, size_of
from pyvae.errors import DataError, optional
from pyvae.registry import readers

__all__ = ["SavedDataset"]

Array = np.ndarray[Any, np.dtype[Any]]

_ROWS, _NUMBERS = 2**16, 2**20  # of a table, and numbers in arrays, that are read at a time


@readers.register("hf")
class SavedDataset(Reader):
    """A folder that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` of datasets wrote.

    A column of images or of arrays is the data; without one the columns are a table. The first
    column of class labels are the labels.

    Args:
        x: the column with the data; default: the first one of images, else of arrays, else all
        size, grey: of images, as for folders of images
        drop: columns of a table to leave out
    """

    def __init__(
        self,
        *,
        x: str | None = None,
        size: Sequence[int] | None = None,
        grey: bool | None = None,
        drop: Sequence[str] = (),
    ) -> None:
        self.x, self.size, self.grey = x, size_of(size, "hf"), grey
        self.drop = tuple(drop)

    @classmethod
    def knows(cls, path: Path) -> bool:
        """Whether it is a folder with the files that save_to_disk writes."""
        return (path / "state.json").is_file() and (path / "dataset_info.json").is_file()

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The rows in their own order."""
        datasets: Any = optional("datasets", "hf")
        with said_of(path, "a folder of datasets' save_to_disk"):
            saved = datasets.load_from_disk(str(path))
            features = saved.features
            name = self.x or _data_column(datasets, features)
            for column in (*self.drop, *([self.x] if self.x else [])):
                if column not in features:
                    raise DataError(f"{path} has no column {column!r}; it has {list_of(features)}")
            classes = [n for n, f in features.items() if isinstance(f, datasets.ClassLabel)]
            labels = classes[0] if classes else None
            fields = Fields(
                [column for column in features if column != name],
                lambda column: _field(datasets, saved, column),
            )
            if name is None:
                yield self._table(saved, path, fields, labels, {*aside, *classes[:1]})
            elif isinstance(features[name], datasets.Image):
                pictures = _pictures(saved, name, path)
                images = Pictures(pictures, self.size, self.grey)
                where = f"{path}: {name}"
                yield Rows(images, where, fields, labels, values="levels", channels="first")
            else:
                yield Rows(
                    _arrays(saved, name, f"{path}: {name}"), f"{path}: {name}", fields, labels
                )

    def _table(
        self, saved: Any, path: Path, fields: Fields, labels: str | None, aside: Collection[str]
    ) -> Rows:
        x, columns = numbers(_Table(saved), {*aside, *self.drop}, {}, path)
        return Rows(x, str(path), fields, labels, columns=columns, values="real")


class _Table:
    """The columns of a saved data set: :class:`pyvae.data.readers.frame.Frames`."""

    def __init__(self, saved: Any) -> None:
        self._saved, self.columns = saved, list(saved.column_names)

    def read(self, columns: Sequence[str]) -> Iterator[Any]:
        """Some of the columns, frame by frame."""
        polars = optional("polars", "tables")
        table = self._saved.data.table.select(list(columns))
        for start in range(0, len(table), _ROWS):
            yield polars.from_arrow(table.slice(start, _ROWS))


def _arrays(saved: Any, name: str, where: str) -> Forward:
    """A column of arrays, a few rows at a time."""
    column = saved.select_columns([name]).with_format("numpy")
    first = np.asarray(column[:1][name])

    def blocks() -> Iterator[Array]:
        rows = max(1, _NUMBERS // max(1, first.size))
        for start in range(0, len(column), rows):
            found = column[start : start + rows][name]
            try:
                block = np.asarray(found)
            except ValueError:  # rows of several lengths
                block = np.empty(0, dtype=object)
            if block.shape[1:] != first.shape[1:] or block.dtype != first.dtype:
                shapes = [np.asarray(row).shape for row in found]
                odd = next((i for i, s in enumerate(shapes) if s != first.shape[1:]), 0)
                raise DataError(
                    f"{where} must hold arrays of one shape, got {first.shape[1:]} in row 0 and "
                    f"{shapes[odd]} in row {start + odd}"
                )
            yield block

    return Forward((len(column), *first.shape[1:]), first.dtype, blocks, where)


def _data_column(datasets: Any, features: Any) -> str | None:
    arrays = tuple(
        getattr(datasets, kind)
        for kind in ("Array2D", "Array3D", "Array4D", "Array5D", "Sequence", "List")
        if isinstance(getattr(datasets, kind, None), type)
    )
    for kinds in ((datasets.Image,), arrays):
        for name, feature in features.items():
            if isinstance(feature, kinds):
                return str(name)
    return None


def _field(datasets: Any, saved: Any, column: str) -> Field:
    feature = saved.features[column]
    found = field_of(_Table(saved), column, None)
    if isinstance(feature, datasets.ClassLabel):
        absent = found.absent | np.array([not v >= 0 for v in found.values])  # -1: no label
        codes = np.where(absent, 0, found.values).astype(int)
        return Field(np.array(feature.names, dtype=object)[codes], absent)
    return found


def _pictures(saved: Any, name: str, path: Path) -> list[Picture]:
    where = f"{path}: {name} in row"
    column = saved.data.table.column(name)
    places = (f"{where} {row}" for row in range(len(column)))
    return [Picture(place, _Encoded(column, row, place)) for row, place in enumerate(places)]


@dataclass(frozen=True)
class _Encoded:
    """An encoded image in a column, by its row."""

    column: Any
    row: int
    where: str

    def read(self) -> bytes:
        """Its bytes, or those of the file that the column names."""
        value = self.column[self.row].as_py()
        if value is None or (value["bytes"] is None and value["path"] is None):
            raise DataError(f"{self.where} is missing")
        inside: bytes | None = value["bytes"]
        return Path(value["path"]).read_bytes() if inside is None else inside
