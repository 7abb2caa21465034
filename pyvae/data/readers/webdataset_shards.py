"""Tar shards as the library webdataset writes them."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.choose import LABELS
from pyvae.data.readers.pictures import SUFFIXES, Picture, Pictures, size_of
from pyvae.errors import DataError, optional
from pyvae.registry import readers

__all__ = ["Shards"]

_LABELS = ("cls", *LABELS)
_SPECIAL = ("__key__", "__url__", "__local_path__")
_META = re.compile(r"__[^/]*__($|/)")  # names that webdataset passes over

Array = np.ndarray[Any, np.dtype[Any]]


@readers.register("webdataset")
class Shards(Reader):
    """A .tar file of samples as webdataset writes them, or a folder of such shards.

    The members of a sample share their name up to the first dot. One is the data: an image, or an
    array of numpy. ``cls`` is the label; it, other short texts and the values in ``json`` are
    fields.

    Args:
        x: the ending of the members with the data; default: that of images, else npy
        size, grey: of images, as for folders of images
    """

    suffixes = (".tar",)

    def __init__(
        self,
        *,
        x: str | None = None,
        size: Sequence[int] | None = None,
        grey: bool | None = None,
    ) -> None:
        self.x, self.size, self.grey = x, size_of(size, "webdataset"), grey

    @classmethod
    def knows(cls, path: Path) -> bool:
        """Whether it is a tar file, or a folder of them."""
        return super().knows(path) or (path.is_dir() and bool(_shards(path)))

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The samples in the order of the shards."""
        shards = _shards(path) if path.is_dir() else [path]
        samples = [sample for shard in shards for sample in _samples(shard)]
        if not samples:
            raise DataError(f"{path} holds no samples")
        ending = self.x or _data_ending(samples[0], path)
        for sample in samples:
            if ending not in sample:
                raise DataError(f"{_where(sample)} has no {ending!r}; it has {_endings(sample)}")
        said = [_values(sample, ending) for sample in samples]
        fields = Fields(
            [name for values in said for name in values],
            lambda name: Field.of([values.get(name) for values in said]),
        )
        image = f".{ending}".lower().endswith(SUFFIXES)
        yield Rows(
            self._pictures(samples, ending) if image else _Arrays(samples, ending),
            str(path),
            fields,
            labels=next((name for name in _LABELS if name in fields), None),
            values="levels" if image else None,
            channels="first" if image else None,
        )

    def _pictures(self, samples: Sequence[Mapping[str, Any]], ending: str) -> Pictures:
        pictures = [Picture(f"{_where(sample)}.{ending}", sample[ending]) for sample in samples]
        return Pictures(pictures, self.size, self.grey)


def _shards(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.name.lower().endswith(Shards.suffixes))


def _samples(shard: Path) -> list[dict[str, Any]]:
    """The samples of a shard, each a :class:`_Member` by the ending of its name; none is read."""
    webdataset: Any = optional("webdataset", "webdataset")
    with said_of(shard, "a tar file of samples (which is not compressed)"):
        if not shard.stat().st_size:
            raise ValueError("it is empty")
        return list(webdataset.tariterators.group_by_keys(_members(shard), handler=_raise))


def _members(shard: Path) -> Iterator[dict[str, Any]]:
    """The members of a shard, in the form that webdataset groups by their names."""
    size = shard.stat().st_size
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            if not member.isreg() or _META.match(member.name):
                continue
            if member.issparse() or member.offset_data + member.size > size:
                raise ValueError(f"{member.name} is cut short")
            place = _Member(shard, member.offset_data, member.size)
            yield {"fname": member.name, "data": place, "__url__": str(shard)}


@dataclass(frozen=True)
class _Member:
    """A file in a shard, by its place."""

    shard: Path
    start: int
    size: int

    def read(self) -> bytes:
        """Its bytes."""
        with open(self.shard, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


def _raise(error: Exception) -> bool:
    raise ValueError(error.args[0] if error.args else error)  # without the stream behind it


def _data_ending(sample: Mapping[str, Any], path: Path) -> str:
    for name in sample:
        if f".{name}".lower().endswith(SUFFIXES):
            return name
    if "npy" in sample:
        return "npy"
    raise DataError(
        f"{path}: its samples hold no image and no npy, but {_endings(sample)}: name the data with "
        f"x=NAME"
    )


def _endings(sample: Mapping[str, Any]) -> str:
    return list_of([name for name in sample if name not in _SPECIAL])


def _where(sample: Mapping[str, Any]) -> str:
    return f"{sample.get('__url__', 'a shard')}: {sample['__key__']}"


def _values(sample: Mapping[str, Any], data: str) -> dict[str, Any]:
    """The short values of a sample by name."""
    found: dict[str, Any] = {}
    for name, content in sample.items():
        if name == "json":
            try:
                inner = json.loads(content.read())
            except (ValueError, RecursionError) as error:
                raise DataError(f"{_where(sample)}.json is damaged: {error}") from error
            if isinstance(inner, dict):
                plain = (str, int, float, bool, type(None))
                found |= {key: v for key, v in inner.items() if isinstance(v, plain)}
        elif name in ("cls", "txt", "text", *LABELS) and name != data:
            text = content.read().decode(errors="replace").strip()
            found[name] = int(text) if text.lstrip("-").isdecimal() else text
    return found


class _Arrays:
    """The arrays of all samples as one (N, ...), read when it is sliced."""

    def __init__(self, samples: Sequence[Mapping[str, Any]], ending: str) -> None:
        self._samples, self._ending = samples, ending
        first = self._read(samples[0])
        self.shape, self.dtype = (len(samples), *first.shape), first.dtype

    def __getitem__(self, rows: slice) -> Array:
        return np.stack([self._read(sample, self.shape[1:]) for sample in self._samples[rows]])

    def _read(self, sample: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> Array:
        where = f"{_where(sample)}.{self._ending}"
        try:
            array: Array = np.load(io.BytesIO(sample[self._ending].read()), allow_pickle=False)
        except Exception as error:
            raise DataError(f"{where} is damaged or no array of numbers: {error}") from error
        if shape is not None and (array.shape != shape or array.dtype != self.dtype):
            raise DataError(
                f"{where} is {array.shape} {array.dtype} and the first of them {shape} "
                f"{self.dtype}; they must be alike"
            )
        return array
