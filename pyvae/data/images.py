"""Arrays of images: where their channels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyvae.errors import DataError

__all__ = ["channels_first", "grey_levels"]

Array = np.ndarray[Any, np.dtype[Any]]

_SIDES = ("first", "last")


def channels_first(x: Array, where: str, channels: str | None = None) -> Array:
    """Images as (N, C, H, W), the same memory seen in that order.

    Args:
        x: (N, H, W), (N, H, W, C) or (N, C, H, W); arrays of more dimensions stay as they are
        where: where they come from, for messages
        channels: "first" or "last"; default: the one of these dimensions that is 1 or 3

    Raises:
        DataError: both dimensions could be the channels, or neither.
    """
    if channels not in (None, *_SIDES):
        raise DataError(f"{where}: channels must be 'first' or 'last', got {channels!r}")
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4:
        return x
    if channels is None:
        sizes = (x.shape[1], x.shape[-1])
        fits = [side for side, size in zip(_SIDES, sizes, strict=True) if size in (1, 3)]
        if len(fits) != 1:
            raise DataError(
                f"{where} of shape {x.shape} has {'two' if fits else 'no'} dimensions that could "
                "be channels (1 or 3): say which with channels=first or channels=last"
            )
        channels = fits[0]
    return np.moveaxis(x, -1, 1) if channels == "last" else x


def grey_levels(x: Array, where: str) -> tuple[Array, int]:
    """Whole numbers as uint8, and the highest level: 255, or 1 for data of zeros and ones alone.

    Raises:
        DataError: the values are not whole numbers from 0 to 255.
    """
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    whole = x.dtype.kind in "bui" or bool((x == np.round(x)).all())
    if not (whole and low >= 0 and high <= 255):
        raise DataError(
            f"{where} must hold levels (whole numbers from 0 to 255), got {x.dtype} from "
            f"{low:g} to {high:g}{'' if whole else ', not all of them whole'}; for others "
            "take values=real"
        )
    return x.astype(np.uint8, copy=False), 255 if high > 1 else 1
