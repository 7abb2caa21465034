"""Tar shards as the library webdataset writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.data.memory import check_memory
from pyvae.data.readers.base import Reader, Rows, list_of, said_of
from pyvae.data.readers.choose import LABELS
from pyvae.data.readers.pictures import SUFFIXES, Picture, Pictures, size_of
from pyvae.errors import DataError, optional
from pyvae.registry import readers

__all__ = ["Shards"]

_LABELS = ("cls", *LABELS)
_SPECIAL = ("__key__", "__url__", "__local_path__")


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
        size = sum(shard.stat().st_size for shard in shards)
        check_memory(size, str(path), "its members")
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
            self._pictures(samples, ending) if image else _arrays(samples, ending),
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
    """The samples of a shard, as bytes. Nothing in them is decoded, so no pickle is read."""
    webdataset: Any = optional("webdataset", "webdataset")
    with said_of(shard, "a tar file of samples"):
        if not shard.stat().st_size:
            raise ValueError("it is empty")
        # a file object, as a name might be taken for a command to run
        with open(shard, "rb") as stream:
            sources = [{"url": str(shard), "stream": stream}]
            files = webdataset.tariterators.tar_file_expander(sources, handler=_raise)
            return list(webdataset.tariterators.group_by_keys(files, handler=_raise))


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
                inner = json.loads(content)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{_where(sample)}.json is damaged: {error}") from error
            if isinstance(inner, dict):
                plain = (str, int, float, bool, type(None))
                found |= {key: v for key, v in inner.items() if isinstance(v, plain)}
        elif name in ("cls", "txt", "text", *LABELS) and name != data:
            text = content.decode(errors="replace").strip()
            found[name] = int(text) if text.lstrip("-").isdecimal() else text
    return found


def _arrays(samples: Sequence[Mapping[str, Any]], ending: str) -> Any:
    first: Any = None
    arrays = []
    for sample in samples:
        where = f"{_where(sample)}.{ending}"
        try:
            array = np.load(io.BytesIO(sample[ending]), allow_pickle=False)
        except Exception as error:
            raise DataError(f"{where} is damaged or no array of numbers: {error}") from error
        first = array if first is None else first
        if array.shape != first.shape or array.dtype != first.dtype:
            raise DataError(
                f"{where} is {array.shape} {array.dtype} and the first of them {first.shape} "
                f"{first.dtype}; they must be alike"
            )
        arrays.append(array)
    return np.stack(arrays)
