"""Folders that the library datasets of Hugging Face saved with ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.data.memory import check_memory
from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.frame import field_of, numbers
from pyvae.data.readers.pictures import Picture, Pictures, size_of
from pyvae.errors import DataError, optional
from pyvae.registry import readers

__all__ = ["SavedDataset"]


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
                pictures = _pictures(datasets, saved, name, path)
                images = Pictures(pictures, self.size, self.grey)
                where = f"{path}: {name}"
                yield Rows(images, where, fields, labels, values="levels", channels="first")
            else:
                check_memory(saved.data.nbytes, f"{path}: {name}", "reading it")
                array = np.asarray(saved.select_columns([name]).with_format("numpy")[:][name])
                yield Rows(array, f"{path}: {name}", fields, labels)

    def _table(
        self, saved: Any, path: Path, fields: Fields, labels: str | None, aside: Collection[str]
    ) -> Rows:
        left_out = [n for n in saved.column_names if n in aside or n in self.drop]
        frame = optional("polars", "tables").from_arrow(saved.data.table).drop(*left_out)
        x, columns = numbers(frame, {}, path)
        return Rows(x, str(path), fields, labels, columns=columns, values="real")


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
    series = optional("polars", "tables").from_arrow(saved.data.table.column(column))
    found = field_of(series, None)
    if isinstance(feature, datasets.ClassLabel):
        absent = found.absent | np.array([not v >= 0 for v in found.values])  # -1: no label
        codes = np.where(absent, 0, found.values).astype(int)
        return Field(np.array(feature.names, dtype=object)[codes], absent)
    return found


def _pictures(datasets: Any, saved: Any, name: str, path: Path) -> list[Picture]:
    encoded = saved.cast_column(name, datasets.Image(decode=False))
    pictures = []
    for row, value in enumerate(encoded[name]):
        where = f"{path}: {name} in row {row}"
        if value is None or (value["bytes"] is None and value["path"] is None):
            raise DataError(f"{where} is missing")
        inside = value["bytes"]
        pictures.append(Picture(where, Path(value["path"]) if inside is None else inside))
    return pictures
