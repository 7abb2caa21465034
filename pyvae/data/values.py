"""What the numbers of a file are (levels, counts, real values), checked, in the dtype they need."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.images import channels_first, grey_levels
from pyvae.data.matrices import BLOCK, check
from pyvae.data.memory import allocate
from pyvae.data.readers.base import said_of
from pyvae.data.whole import Whole
from pyvae.errors import DataError

__all__ = ["VALUES", "Numbers", "Wanted", "read_numbers"]

VALUES = ("counts", "corrected", "levels", "real")

Array = np.ndarray[Any, np.dtype[Any]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What the numbers of a file are said to be; None: found.

    Args:
        values: "counts": whole numbers of at least 0, with their totals as the side input
            ``library``; "corrected": the same for counts that some correction has made fractional;
            "levels": grey levels; "real": any finite numbers, NaN where they are missing
        levels: the highest grey level, at most 255
        channels: where the channels of images are: "first", "last" or "none"
        shape: the shape of one datum, such as (1, 28, 28), where rows hold its numbers in a line

    Raises:
        DataError: a value that does not exist, or two that contradict each other.
    """

    values: str | None = None
    levels: int | None = None
    channels: str | None = None
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.values not in (None, *VALUES):
            raise DataError(
                f"values must be {', '.join(VALUES[:-1])} or {VALUES[-1]}, got {self.values!r}"
            )
        if self.levels is not None and not 1 <= self.levels <= 255:
            raise DataError(f"levels must be the highest level, from 1 to 255, got {self.levels}")
        if self.levels is not None and self.values not in (None, "levels"):
            raise DataError(f"levels={self.levels} is for values=levels, got {self.values}")
        if self.shape is not None and (not self.shape or min(self.shape) < 1):
            raise DataError(f"shape must be positive whole numbers, got {self.shape}")


@dataclass(frozen=True)
class Numbers:
    """Numbers with what they turned out to be.

    Args:
        x: (N, *data_shape), uint8 where they are levels, else float32
        levels: the highest level, where they are levels
        extras: ``library`` (N,) of counts; ``mask`` of x's shape where real values are missing
    """

    x: Tensor
    levels: int | None
    extras: dict[str, Tensor]


def read_numbers(whole: Whole, wanted: Wanted, order: Array) -> Numbers:
    """Read arrays (N, ...) as what they are said to hold, block by block.

    Args:
        whole: the arrays, while they are open
        wanted: what they are said to hold
        order: the rows in the order in which they are wanted (N,)

    Raises:
        DataError: values of another kind, or more of them than fit into memory and on the disk.
    """
    array, where = whole.arrays[0]
    values = wanted.values or ("levels" if wanted.levels else whole.values or _usual(array))
    shape = _arranged(np.empty((0, *array.shape[1:])), where, wanted, whole.channels).shape[1:]
    dtype = np.dtype(np.uint8 if values == "levels" else np.float32)
    x = allocate((len(order), *shape), dtype, where)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    library = np.zeros(len(order), dtype=np.float32)
    mask: Array | None = None
    levels, missing, start = 1, 0, 0
    for array, where in whole.arrays:
        for begin, stored in _blocks(array, where, values):
            block = _arranged(stored, where, wanted, whole.channels)
            to = place[start + begin : start + begin + len(block)]
            if values == "levels":
                block, highest = grey_levels(block, where, wanted.levels)
                levels = max(levels, highest)
            else:
                numbers = torch.from_numpy(block)
                check(values, numbers, where, begin)
                library[to] = numbers.flatten(1).sum(1).numpy()
                absent = np.isnan(block)
                if absent.any():
                    missing += int(absent.sum())
                    if mask is None:
                        mask = allocate(x.shape, np.dtype(bool), where)
                        mask[...] = True
                    mask[to], block = ~absent, np.where(absent, 0, block)
            x[to] = block
        start += array.shape[0]
    extras = {"library": torch.from_numpy(library)} if values in ("counts", "corrected") else {}
    if mask is not None:
        extras["mask"] = torch.from_numpy(mask)
        share = 100 * missing / x.size
        _log.warning("%s: %.2g %% of the values are missing; they are masked", where, share)
    return Numbers(torch.from_numpy(x), levels if values == "levels" else None, extras)


def _blocks(array: Any, where: str, values: str) -> Iterator[tuple[int, Array]]:
    """The first row of each block of an array, and the block: levels as stored, others float32."""
    rows = max(1, BLOCK // max(1, math.prod(array.shape[1:])))
    for begin in range(0, array.shape[0], rows):
        with said_of(where, "what its header says"):
            stored = np.asarray(array[begin : begin + rows])
        yield begin, stored if values == "levels" else stored.astype(np.float32)


def _usual(array: Any) -> str:
    """Bytes and bits are levels, so are images of whole numbers; other whole numbers are counts."""
    if array.dtype.kind == "f":
        return "real"
    return "levels" if array.dtype.itemsize == 1 or len(array.shape) > 2 else "counts"


def _arranged(block: Array, where: str, wanted: Wanted, side: str | None) -> Array:
    """Rows of the shape that is asked for, or with their channels first."""
    if wanted.shape is not None:
        if math.prod(wanted.shape) != math.prod(block.shape[1:]):
            size = " x ".join(map(str, block.shape[1:])) or "1"
            raise DataError(
                f"{where}: shape={','.join(map(str, wanted.shape))} needs "
                f"{math.prod(wanted.shape)} numbers in each row, got {size}"
            )
        return block.reshape(len(block), *wanted.shape)
    if block.ndim == 1:
        return block[:, None]
    return channels_first(block, where, wanted.channels or side)
