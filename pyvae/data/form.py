"""What the numbers of a file are said to be, and what becomes of rows of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pyvae.batch import Batch
from pyvae.data.images import channels_first
from pyvae.data.whole import Whole
from pyvae.errors import DataError

__all__ = ["VALUES", "Form", "Wanted", "form_of"]

VALUES = ("counts", "corrected", "levels", "real")

Array = np.ndarray[Any, np.dtype[Any]]


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
class Form:
    """What is made of rows as they are stored.

    Args:
        values: what they hold
        wanted: what was said of them
        side: where the reader says that channels are
        masked: whether a mask says which values are missing
    """

    values: str
    wanted: Wanted
    side: str | None
    masked: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers that it makes."""
        return np.dtype(np.uint8 if self.values == "levels" else np.float32)

    def arranged(self, stored: Array, where: str) -> Array:
        """In the shape of the data, with the numbers as they are."""
        return _arranged(stored, where, self.wanted, self.side)

    def __call__(self, stored: Array, where: str) -> Batch:
        """x, and the mask where there is one."""
        numbers = self.arranged(stored, where).astype(self.dtype, copy=False)
        x = torch.from_numpy(np.ascontiguousarray(numbers))
        if not self.masked:
            return Batch(x)
        return Batch(x.nan_to_num(nan=0.0), None, {"mask": ~x.isnan()})


def form_of(whole: Whole, wanted: Wanted) -> tuple[Form, tuple[int, ...]]:
    """What is made of the rows of arrays, and the shape of all of them then."""
    array, where = whole.arrays[0]
    values = wanted.values or ("levels" if wanted.levels else whole.values or _usual(array))
    form = Form(values, wanted, whole.channels)
    shape = form.arranged(np.empty((0, *array.shape[1:])), where).shape[1:]
    return form, (sum(whole.sizes), *shape)


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
