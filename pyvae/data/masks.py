"""Masks that lie in files beside the data: which values were observed."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.form import Wanted
from pyvae.data.readers import parts_of, reader_of
from pyvae.data.stored import Source, StoredBatch
from pyvae.data.values import leave_numbers, read_numbers
from pyvae.data.whole import Whole, join
from pyvae.errors import DataError
from pyvae.registry import readers

__all__ = ["Mask", "mask_of"]

Array = np.ndarray[Any, np.dtype[Any]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mask:
    """Which values of a data set were observed.

    Args:
        whole: zeros and ones, of the shape of the data, in the same order
        wanted: how the data are to be arranged
        where: what it is called in messages
    """

    whole: Whole
    wanted: Wanted
    where: str

    def hiding(self, data: Whole) -> Whole:
        """The data with zeros in the place of what was not observed, whatever stands there."""
        pairs = zip(data.arrays, self.whole.arrays, strict=True)
        return replace(data, arrays=tuple((_Hidden(x, seen), w) for (x, w), (seen, _) in pairs))

    def laid_on(self, rows: Batch, order: Tensor) -> Batch:
        """The data with the extra "mask".

        Args:
            rows: all rows, in the order of their files where they stay there, else in that of
                ``order``
            order: of the rows (N,)

        Raises:
            DataError: the mask holds other things than zeros and ones.
        """
        try:
            if not isinstance(rows, StoredBatch):
                seen = read_numbers(self.whole, self.wanted, order).rows.x.bool()
                hidden = 1 - float(seen.double().mean())
                _log.warning("%s: %.2g %% of the values are masked", self.where, 100 * hidden)
                return _both(rows, seen)
            left = leave_numbers(self.whole, self.wanted).rows
        except DataError as error:
            raise DataError(f"the mask must hold zeros and ones: {error}") from error
        assert isinstance(left, StoredBatch)
        extras = {**rows.extras, "mask": left.x.bool()}
        return replace(rows, extras=extras, source=_Masked(rows.source, left.source))


def mask_of(
    path: Path, data: Whole, places: Mapping[str, Path], wanted: Wanted, opened: ExitStack
) -> Mask:
    """The mask in a file, or in a folder of files that are called like the splits.

    Args:
        path: the file or folder
        data: what it is for
        places: the parts of the data, by split
        wanted: what was said of the data
        opened: keeps its files open

    Raises:
        DataError: there is no such file, or it has another shape than the data.
    """
    if not path.exists():
        raise DataError(f"the mask {path} does not exist")
    parts = parts_of(path)
    if parts.keys() != places.keys():
        raise DataError(
            f"the mask {path} must have the parts of the data, {', '.join(places)}, got "
            f"{', '.join(parts)}"
        )
    reader = readers.create(reader_of(parts["train"]))
    rows = [opened.enter_context(reader.rows(parts[name], ())) for name in places]
    whole = join(rows, None, ())
    arrays = []
    for (x, where), (seen, named) in zip(data.arrays, whole.arrays, strict=True):
        if x.shape[0] != seen.shape[0] or math.prod(x.shape[1:]) != math.prod(seen.shape[1:]):
            raise DataError(
                f"the mask {named} must have the shape {tuple(x.shape)} of {where}, got "
                f"{tuple(seen.shape)}"
            )
        arrays.append((_Reshaped(seen, tuple(x.shape)), named))
    told = Wanted("levels", 1, wanted.channels, wanted.shape)
    return Mask(replace(whole, arrays=tuple(arrays), channels=data.channels), told, str(path))


class _Reshaped:
    """The rows of an array in another shape."""

    def __init__(self, array: Any, shape: tuple[int, ...]) -> None:
        self._array, self.shape, self.dtype = array, shape, array.dtype
        self.lasting = getattr(array, "lasting", False)

    def __getitem__(self, rows: slice) -> Array:
        return np.asarray(self._array[rows]).reshape(-1, *self.shape[1:])


class _Hidden:
    """The rows of an array, with 0 where a mask has 0."""

    def __init__(self, array: Any, seen: Any) -> None:
        self._array, self._seen = array, seen
        self.shape, self.dtype = array.shape, array.dtype
        self.lasting = all(getattr(one, "lasting", False) for one in (array, seen))

    def __getitem__(self, rows: slice) -> Array:
        x = np.asarray(self._array[rows])
        return np.where(np.asarray(self._seen[rows]) == 0, np.zeros((), x.dtype), x)


@dataclass(frozen=True)
class _Masked:
    """Rows of one source, of which another says what was observed."""

    rows: Source
    seen: Source

    def read(self, index: Tensor) -> Batch:
        """Both together."""
        return _both(self.rows.read(index), self.seen.read(index).x.bool())


def _both(rows: Batch, seen: Tensor) -> Batch:
    """What is observed by a mask, and is not missing either."""
    own = rows.extras.get("mask")
    return replace(rows, extras={**rows.extras, "mask": seen if own is None else seen & own})
