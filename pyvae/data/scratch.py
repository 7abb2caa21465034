"""Rows that are written once and read many times, in a file without a name."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.memory import readable
from pyvae.data.row_file import RowFile
from pyvae.errors import DataError, optional

__all__ = ["Scratch", "scratch_folder"]

Array = np.ndarray[Any, np.dtype[Any]]

_LEFT = 2**28  # bytes that are left free on a disk


def scratch_folder() -> Path:
    """The folder of such files: the environment's PYVAE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("PYVAE_CACHE") or optional("pooch").os_cache("pyvae"))


class Scratch:
    """A file that is gone with the process, to be filled row by row.

    Args:
        shape, dtype: of all rows
        where: what they are, for messages

    Raises:
        DataError: the disk has no room for them.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
        self.shape, self.dtype, self.where = shape, dtype, where
        needed = dtype.itemsize * math.prod(shape)
        folder = scratch_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if needed + _LEFT > free:
                raise OSError(f"the disk of {folder} has {readable(free)}")
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  the rows keep it
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, needed)
        except (OSError, OverflowError) as error:
            size = " x ".join(map(str, shape))
            raise DataError(
                f"{where}: {size} numbers of {dtype.itemsize} bytes would take {readable(needed)} "
                f"of memory, which is not available, or of disk; {error}"
            ) from error

    def write(self, block: Array) -> None:
        """The next rows.

        Raises:
            DataError: the disk is full after all.
        """
        try:
            whole = np.ascontiguousarray(block, self.dtype).reshape(-1)
            self._file.write(whole.view(np.uint8).data)
        except OSError as error:
            raise DataError(f"{self.where} cannot be kept on the disk: {error}") from error

    def rows(self, shape: tuple[int, ...] | None = None, columns: bool = False) -> RowFile:
        """All rows, once they are written.

        Args:
            shape: of the rows; default: as they were written
            columns: what was written was column after column
        """
        self._file.flush()
        return RowFile(self._file, self.where, 0, shape or self.shape, self.dtype, columns=columns)
