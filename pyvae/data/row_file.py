"""Arrays in files whose rows lie one behind the other: read when they are sliced, never mapped."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyvae.errors import DataError

__all__ = ["RowFile"]

Array = np.ndarray[Any, np.dtype[Any]]


class RowFile:
    """Rows (N, ...) of numbers in a file, of which a slice reads those of the slice.

    Mapped files count in full against a limit of addresses (``ulimit -v``), and a page that is
    missing stops the thread that touches it with the interpreter's lock in its hand; reading does
    neither. Threads may read at the same time.

    Args:
        file: its path, or the file where it has no name
        where: what it is called in messages
        start: the place of the first row in it, in bytes
        shape: of the array
        dtype: of the numbers in the file
        columns: the file holds column after column (Fortran's order), not row after row
        decode: makes numbers of numpy's dtypes of what is in the file; default: they are

    Raises:
        ValueError: the file is too short for what it is said to hold.

    >>> import tempfile
    >>> file = tempfile.TemporaryFile()
    >>> _ = file.write(bytes(range(8))), file.flush()
    >>> RowFile(file, "numbers", 2, (3, 2), np.dtype("u1"))[1:3].tolist()
    [[4, 5], [6, 7]]
    """

    lasting = True  #: rows can be read for as long as there is a reference to it

    def __init__(
        self,
        file: Path | IO[bytes],
        where: str,
        start: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        columns: bool = False,
        decode: Callable[[Array], Array] | None = None,
    ) -> None:
        self._file: Any = open(file, "rb", buffering=0) if isinstance(file, Path) else file  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._where, self._start, self._stored = where, start, dtype
        self._columns, self._decode = columns, decode
        self._lock = threading.Lock()
        self.shape = shape
        self.dtype = dtype if decode is None else decode(np.empty(0, dtype)).dtype
        states, holds = self._size(math.prod(shape)), os.fstat(self._file.fileno()).st_size - start
        if holds < states:
            size = " x ".join(map(str, shape))
            raise ValueError(
                f"it states {size} numbers of {dtype}, and holds {max(holds, 0)} bytes"
            )

    def __getitem__(self, rows: slice) -> Array:
        begin, end, _ = rows.indices(self.shape[0])
        count, width = max(end - begin, 0), math.prod(self.shape[1:])
        if self._columns:
            found = np.empty((width, count), self._stored)
            for column in range(width):
                self._read(found[column], column * self.shape[0] + begin)
            found = found.reshape(*reversed(self.shape[1:]), count).T
        else:
            found = np.empty((count, *self.shape[1:]), self._stored)
            self._read(found, begin * width)
        return found if self._decode is None else self._decode(found)

    def _read(self, into: Array, place: int) -> None:
        """Fill an array with the numbers from a place on."""
        rest = into.reshape(-1).view(np.uint8).data
        with self._lock:
            self._file.seek(self._start + self._size(place))
            while len(rest):
                got = self._file.readinto(rest)
                if not got:
                    raise DataError(f"{self._where} has been cut short since it was opened")
                rest = rest[got:]

    def _size(self, numbers: int) -> int:
        return numbers * self._stored.itemsize
