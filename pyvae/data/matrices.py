"""Checks of the numbers that files hold."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyvae.errors import DataError

__all__ = ["BLOCK", "check", "check_counts"]

EXACT = 2**24  # whole numbers below are themselves in float32
BLOCK = 2**22  # numbers that are read or looked at in one go

_PLACES = {2: ("row", "column"), 4: ("image", "channel", "row", "column")}  # by dimensions


def check_counts(x: Tensor, where: str, start: int = 0) -> None:
    """Raise DataError with the first place of x (N, D) that is not a count, or a row of zeros."""
    _refuse(
        x,
        lambda rows: (rows >= 0) & (rows == rows.round()) & (rows < EXACT),
        where,
        "counts (whole numbers from 0 to 2^24 - 1); values=corrected takes fractions of at least "
        "0, values=real anything finite",
        start,
    )
    _refuse_empty(x, where, start)


def check(values: str, x: Tensor, where: str, start: int = 0) -> None:
    """Look at rows that are said to hold counts, corrected counts or real values.

    Args:
        values: "counts", "corrected" or "real", where NaN is a missing value
        x: the rows (N, ...)
        where: where they come from, for messages
        start: the number of the first of them

    Raises:
        DataError: with the first place that holds something else, or a row of counts without any.
    """
    if values == "counts":
        check_counts(x, where, start)
    elif values == "corrected":
        expected = "finite numbers of at least 0"
        _refuse(x, lambda rows: (rows >= 0) & rows.isfinite(), where, expected, start)
        _refuse_empty(x, where, start)
    else:
        expected = "finite numbers, or NaN where they are missing"
        _refuse(x, lambda rows: ~rows.isinf(), where, expected, start)


def _refuse_empty(x: Tensor, where: str, start: int) -> None:
    empty = (x.flatten(1).sum(1) == 0).nonzero()
    if len(empty):
        raise DataError(f"{where}: row {start + int(empty[0])} has no counts at all; leave it out")


def _refuse(
    x: Tensor, good: Callable[[Tensor], Tensor], where: str, expected: str, start: int
) -> None:
    bad = ~good(x)
    if bool(bad.any()):
        place = [int(i) for i in torch.nonzero(bad)[0]]
        value = x[tuple(place)].item()
        place[0] += start
        names = _PLACES.get(x.ndim, ("row", *("index",) * (x.ndim - 1)))
        said = ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=True))
        raise DataError(f"{where} must hold {expected}, got {value:g} in {said}")
