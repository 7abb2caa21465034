"""Arrays whose rows can only be made one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pyvae.errors import DataError

__all__ = ["Forward"]

Array = np.ndarray[Any, np.dtype[Any]]


class Forward:
    """Rows (N, ...) that come in blocks, of which a slice makes those that it needs.

    Slices that follow each other, which is how data are read, make each block once; one that goes
    back begins anew.

    Args:
        shape, dtype: of all rows
        blocks: makes the blocks, from the first row on, each time that it is called
        where: what they are called in messages

    >>> squares = Forward((4, 1), np.dtype(float), lambda: iter(np.arange(4.0).reshape(2, 2, 1)))
    >>> squares[1:3].tolist(), squares[3:].tolist(), squares[:1].tolist()
    ([[1.0], [2.0]], [[3.0]], [[0.0]])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        blocks: Callable[[], Iterator[Array]],
        where: str = "",
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._make, self._where = blocks, where
        self._begin_anew()

    def __getitem__(self, rows: slice) -> Array:
        begin, end, _ = rows.indices(self.shape[0])
        if begin < self._start:
            self._begin_anew()
        parts = []
        while begin < end:
            if begin >= self._start + len(self._block):
                self._turn()
                continue
            parts.append(self._block[begin - self._start : end - self._start])
            begin += len(parts[-1])
        if not parts:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _begin_anew(self) -> None:
        self._blocks, self._start = self._make(), 0  # of the block that is held
        self._block = np.empty((0, *self.shape[1:]), self.dtype)

    def _turn(self) -> None:
        """Go to the next block."""
        self._start += len(self._block)
        found = next(self._blocks, None)
        if found is None:
            raise DataError(
                f"{self._where} was to have {self.shape[0]} rows and has {self._start}: it has "
                f"changed since it was opened"
            )
        self._block = found
