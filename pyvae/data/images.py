"""Arrays of images: where their channels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyvae.errors import DataError

__all__ = ["channels_first", "grey_levels"]

Array = np.ndarray[Any, np.dtype[Any]]

_SIDES = ("first", "last")


def channels_first(x: Array, where: str, channels: str | None = None) -> Array:
    """Images as (N, C, H, W), the same memory seen in that order; volumes likewise.

    Args:
        x: (N, H, W), (N, H, W, C) or (N, C, H, W), or more dimensions; matrices stay as they are
        where: where they come from, for messages
        channels: "first", "last", or "none" where there are none and one is added; default: for
            images the one of these dimensions that is 1 or 3, for more dimensions the first

    Raises:
        DataError: both dimensions could be the channels, or neither.
    """
    if channels not in (None, "none", *_SIDES):
        raise DataError(f"{where}: channels must be 'first', 'last' or 'none', got {channels!r}")
    if x.ndim < 3:
        return x
    if channels == "none" or (x.ndim == 3 and channels is None):
        return x[:, None]
    if x.ndim > 4 and channels is None:
        return x
    if channels is None:
        sizes = (x.shape[1], x.shape[-1])
        fits = [side for side, size in zip(_SIDES, sizes, strict=True) if size in (1, 3)]
        if len(fits) != 1:
            raise DataError(
                f"{where} of shape {x.shape} has {'two' if fits else 'no'} dimensions that could "
                "be channels (1 or 3): say which with channels=first or channels=last, or "
                "channels=none for volumes without channels"
            )
        channels = fits[0]
    return np.moveaxis(x, -1, 1) if channels == "last" else x


def grey_levels(x: Array, where: str, highest: int | None = None) -> tuple[Array, int]:
    """Whole numbers as uint8, and the highest level.

    Args:
        x: the numbers
        where: where they come from, for messages
        highest: the highest level; default: 255, or 1 for data of zeros and ones alone

    Raises:
        DataError: the values are not whole numbers from 0 to the highest level.
    """
    most = 255 if highest is None else highest
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    whole = x.dtype.kind in "bui" or bool((x == np.round(x)).all())
    if not (whole and low >= 0 and high <= most):
        raise DataError(
            f"{where} must hold levels (whole numbers from 0 to {most}), got {x.dtype} from "
            f"{low:g} to {high:g}{'' if whole else ', not all of them whole'}; for others "
            "take values=real"
        )
    return x.astype(np.uint8, copy=False), highest or (255 if high > 1 else 1)
