"""What the numbers of a file are (levels, counts, real values), checked, in the dtype they need."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.images import channels_first, grey_levels
from pyvae.data.matrices import check_corrected, check_counts, check_observed, read_dense
from pyvae.errors import DataError

__all__ = ["VALUES", "Typed", "Wanted", "typed"]

VALUES = ("counts", "corrected", "levels", "real")

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
class Typed:
    """Numbers with what they turned out to be.

    Args:
        x: (N, *data_shape), uint8 where they are levels, else float32
        levels: the highest level, where they are levels
        extras: ``library`` (N,) of counts; ``mask`` of x's shape where real values are missing
    """

    x: Tensor
    levels: int | None
    extras: dict[str, Tensor]


def typed(item: Any, where: str, wanted: Wanted, usual: str | None, side: str | None) -> Typed:
    """Read an array (N, ...) as what it is said to hold.

    Args:
        item: what has a shape, a dtype and slices of rows
        where: where it comes from, for messages
        wanted: what it is said to be
        usual: the values that files of its kind hold; None: what its dtype says
        side: where such files have the channels of images; None: found

    Raises:
        DataError: values of another kind, or more of them than fit into memory.
    """
    if item.dtype.kind not in "buif" or not item.shape:
        raise DataError(f"{where} must be an array of numbers, got {item.shape} {item.dtype}")
    values = wanted.values or ("levels" if wanted.levels else usual or _usual(item))
    array = read_dense(item, where, None if values == "levels" else np.float32)
    levels = None
    if values == "levels":
        array, levels = grey_levels(array, where, wanted.levels)
    if wanted.shape is not None:
        array = _shaped(array, wanted.shape, where)
    elif array.ndim == 1:
        array = array[:, None]
    else:
        array = channels_first(array, where, wanted.channels or side)
    x = torch.from_numpy(array)
    return Typed(x, levels, _side_inputs(x, values, where))


def _usual(item: Any) -> str:
    """Bytes and bits are levels, so are images of whole numbers; other whole numbers are counts."""
    if item.dtype.kind == "f":
        return "real"
    return "levels" if item.dtype.itemsize == 1 or len(item.shape) > 2 else "counts"


def _shaped(array: Any, shape: Sequence[int], where: str) -> Any:
    if math.prod(shape) != math.prod(array.shape[1:]):
        size = " x ".join(map(str, array.shape[1:])) or "1"
        raise DataError(
            f"{where}: shape={','.join(map(str, shape))} needs {math.prod(shape)} numbers in each "
            f"row, got {size}"
        )
    return array.reshape(len(array), *shape)


def _side_inputs(x: Tensor, values: str, where: str) -> dict[str, Tensor]:
    """The side inputs of data that are what they are said to be."""
    if values in ("counts", "corrected"):
        (check_counts if values == "counts" else check_corrected)(x, where)
        return {"library": x.flatten(1).sum(1)}
    if values == "levels":
        return {}
    check_observed(x, where)
    missing = x.isnan()
    if not bool(missing.any()):
        return {}
    share = float(missing.float().mean())
    _log.warning("%s: %.2g %% of the values are missing; they are masked", where, 100 * share)
    x.masked_fill_(missing, 0)
    return {"mask": ~missing}
