"""numpy's .npy and .npz files. Nothing in them is ever unpickled."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyvae.data.memory import fits
from pyvae.data.readers.base import Reader, Rows, said_of
from pyvae.data.readers.choose import rows_by_name
from pyvae.data.readers.forward import Forward
from pyvae.data.row_file import RowFile
from pyvae.data.scratch import Scratch
from pyvae.errors import DataError
from pyvae.registry import readers

__all__ = ["Npy", "Npz"]

Array = np.ndarray[Any, np.dtype[Any]]

_UNPACKED = 2**22  # bytes that are unpacked at a time
_LENGTHS = 26  # bytes before the lengths in the head of a member of a zip file


@readers.register("npy")
class Npy(Reader):
    """One array (N, ...) in a .npy file."""

    suffixes = (".npy",)

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The array, read from the disk as it is sliced."""
        with said_of(path, "a .npy file of numbers"):
            with open(path, "rb") as file:
                shape, columns, dtype = _header(file, str(path))
                start = file.tell()
            yield Rows(RowFile(path, str(path), start, shape, dtype, columns=columns), str(path))


@readers.register("npz")
class Npz(Reader):
    """Arrays by name in a .npz file.

    One that is not compressed, as ``np.savez`` writes it, is read row by row where it is too large
    to be held; others are unpacked a few rows at a time.

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
            members = _members(path)
            shapes = {name: member.shape for name, member in members.items()}
            with np.load(path, allow_pickle=False) as archive:
                yield rows_by_name(
                    self.x,
                    shapes,
                    path,
                    lambda name: _array(path, name, members[name]),
                    archive.__getitem__,
                )


@dataclass(frozen=True)
class _Member:
    """What a .npz file states of one array, and where its numbers begin unless compressed."""

    filename: str
    shape: tuple[int, ...]
    columns: bool
    dtype: np.dtype[Any]
    start: int | None


def _array(path: Path, name: str, member: _Member) -> Any:
    """An array of which rows are read, or unpacked, when they are sliced."""
    where = f"{path}: {name}"
    held = fits(2 * math.prod(member.shape) * member.dtype.itemsize)  # and in another order
    if member.start is not None and not held:
        place = where, member.start, member.shape, member.dtype
        return RowFile(path, *place, columns=member.columns)
    if not member.columns:
        return Forward(member.shape, member.dtype, lambda: _unpacked(path, name, member), where)
    flat = replace(member, shape=(math.prod(member.shape),), columns=False)
    blocks = _unpacked(path, name, flat)
    if held:
        return np.concatenate(list(blocks)).reshape(member.shape, order="F")
    numbers = Scratch(flat.shape, member.dtype, where)
    for block in blocks:
        numbers.write(block)
    return numbers.rows(member.shape, columns=True)


def _unpacked(path: Path, name: str, member: _Member) -> Iterator[Array]:
    """The rows of a member, in blocks."""
    width = member.dtype.itemsize * math.prod(member.shape[1:])
    rows = max(1, _UNPACKED // max(1, width))
    with (
        said_of(path, "a .npz file of numbers"),
        zipfile.ZipFile(path) as archive,
        archive.open(member.filename) as file,
    ):
        _header(file, f"{path}: {name}")
        for start in range(0, member.shape[0], rows):
            count = min(rows, member.shape[0] - start)
            content = file.read(count * width)
            if len(content) < count * width:
                raise ValueError(f"{name} is cut short")
            yield np.frombuffer(content, member.dtype).reshape(count, *member.shape[1:])
        file.read(1)  # at the end the checksum is compared


def _members(path: Path) -> dict[str, _Member]:
    """The arrays of a file by name, of which none is read."""
    found = {}
    with zipfile.ZipFile(path) as archive, open(path, "rb") as plain:
        for member in archive.infolist():
            key = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                shape, columns, dtype = _header(file, f"{path}: {key}")
                head = file.tell()
            if member.file_size < math.prod(shape) * dtype.itemsize:
                raise DataError(
                    f"{path}: {key} states {shape} numbers of {dtype} and holds "
                    f"{member.file_size} bytes"
                )
            start = None
            if member.compress_type == zipfile.ZIP_STORED:
                plain.seek(member.header_offset + _LENGTHS)
                lengths = struct.unpack("<HH", plain.read(4))  # of the name, and of what follows it
                start = member.header_offset + _LENGTHS + 4 + sum(lengths) + head
            found[key] = _Member(member.filename, shape, columns, dtype, start)
    return found


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """What the head of a .npy file states: shape, whether by columns, dtype.

    Raises:
        DataError: it holds Python objects, which only unpickling would bring back.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where} is of version {version} of the format, which holds no numbers")
    read: Any = np.lib.format.read_array_header_1_0
    if version == (2, 0):
        read = np.lib.format.read_array_header_2_0
    shape, columns, dtype = read(file)
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects (pickle), which are never read")
    return shape, columns and len(shape) > 1, dtype
