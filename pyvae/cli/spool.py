"""Rows that come block by block, kept on the disk in the order that is wanted."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["spooled"]

Array = np.ndarray[Any, np.dtype[Any]]


def spooled(blocks: Iterable[Array], places: Array, folder: Path) -> Array:
    """Rows (N, ...) on the disk, in a file without a name that goes when they do.

    Args:
        blocks: rows (B, ...) of one shape and dtype, N in all and at least one
        places: where each of them goes (N,)
        folder: what has room for them

    Raises:
        OSError: the disk is full.

    >>> rows = spooled([np.array([[1.0], [2.0]]), np.array([[3.0]])], np.array([2, 0, 1]), Path())
    >>> rows.ravel().tolist()
    [2.0, 3.0, 1.0]
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        done, first = 0, None
        for block in blocks:
            first = block[:0] if first is None else first
            here = places[done : done + len(block)]
            done += len(block)
            _write(file.fileno(), np.ascontiguousarray(block), here)
        assert first is not None and done == len(places)
        shape = (len(places), *first.shape[1:])
        return np.asarray(np.memmap(file, first.dtype, "r", shape=shape))


def _write(handle: int, block: Array, places: Array) -> None:
    """Each run of rows that lie one behind the other at once."""
    size = block.dtype.itemsize * math.prod(block.shape[1:])
    ends = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    for start, stop in pairwise(ends):
        content = memoryview(block[start:stop].tobytes())
        at = int(places[start]) * size
        while content:
            written = os.pwrite(handle, content, at)
            content, at = content[written:], at + written
