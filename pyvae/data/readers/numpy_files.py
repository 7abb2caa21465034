"""numpy's .npy and .npz files. Nothing in them is ever unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyvae.data.memory import check_memory
from pyvae.data.readers.base import Reader, Rows, said_of
from pyvae.data.readers.choose import rows_by_name
from pyvae.errors import DataError
from pyvae.registry import readers

__all__ = ["Npy", "Npz"]


@readers.register("npy")
class Npy(Reader):
    """One array (N, ...) in a .npy file."""

    suffixes = (".npy",)

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The array, read from the disk as it is sliced."""
        with said_of(path, "a .npy file of numbers"):
            with open(path, "rb") as file:
                _header(file, str(path))
            yield Rows(np.load(path, mmap_mode="r", allow_pickle=False), str(path))


@readers.register("npz")
class Npz(Reader):
    """Arrays by name in a .npz file.

    Args:
        x: the array with the data; default: x, X, images or data, else the only one that is
            neither a list nor a single number
    """

    suffixes = (".npz",)

    def __init__(self, *, x: str | None = None) -> None:
        self.x = x

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The array of the data; lists of as many values are fields."""
        with said_of(path, "a .npz file of numbers"):
            shapes, sizes = _declared(path)
            with np.load(path, allow_pickle=False) as archive:

                def read(name: str) -> Any:
                    check_memory(sizes[name], f"{path}: {name}", "reading it")
                    return archive[name]

                yield rows_by_name(self.x, shapes, path, read, archive.__getitem__)


def _declared(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """The shapes that a file states, and the bytes that its arrays would take; none is read."""
    shapes, sizes = {}, {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            key = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                shape, dtype = _header(file, f"{path}: {key}")
            shapes[key], sizes[key] = shape, math.prod(shape) * dtype.itemsize
            if member.file_size < sizes[key]:
                raise DataError(
                    f"{path}: {key} states {shape} numbers of {dtype} and holds "
                    f"{member.file_size} bytes"
                )
    return shapes, sizes


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """What the head of a .npy file states.

    Raises:
        DataError: it holds Python objects, which only unpickling would bring back.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where} is of version {version} of the format, which holds no numbers")
    read: Any = np.lib.format.read_array_header_1_0
    if version == (2, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects (pickle), which are never read")
    return shape, dtype
