"""What the numbers of a file are (levels, counts, real values), checked, in the dtype they need."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.batch import Batch
from pyvae.data.form import Form, Wanted, form_of
from pyvae.data.images import grey_levels
from pyvae.data.matrices import BLOCK, check
from pyvae.data.memory import readable
from pyvae.data.readers.base import said_of
from pyvae.data.scratch import Scratch, scratch_folder
from pyvae.data.stored import ArraysSource, StoredBatch
from pyvae.data.whole import Whole

__all__ = ["Numbers", "leave_numbers", "read_numbers"]

Array = np.ndarray[Any, np.dtype[Any]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Numbers:
    """Numbers with what they turned out to be.

    Args:
        rows: x (N, *data_shape), uint8 where they are levels, else float32; with the extras
            ``library`` (N,) of counts and ``mask`` of x's shape where real values are missing
        levels: the highest level, where they are levels
    """

    rows: Batch
    levels: int | None


def read_numbers(whole: Whole, wanted: Wanted, order: Tensor) -> Numbers:
    """Read arrays (N, ...) as what they are said to hold, block by block, into memory.

    Args:
        whole: the arrays, while they are open
        wanted: what they are said to hold
        order: the rows in the order in which they are wanted (N,)

    Raises:
        DataError: values of another kind.
    """
    form, shape = form_of(whole, wanted)
    x = np.empty(shape, form.dtype)
    place = order.argsort().numpy()
    mask: Array | None = None
    look = _Look(form, whole)
    for start, block in look.blocks():
        to = place[start : start + len(block)]
        if look.missing:
            if mask is None:
                mask = np.ones(shape, dtype=bool)
            mask[to], block = ~np.isnan(block), np.nan_to_num(block, copy=False)
        x[to] = block
    extras = {name: value[order] for name, value in look.extras().items()}
    if mask is not None:
        extras["mask"] = torch.from_numpy(mask)
    return Numbers(Batch(torch.from_numpy(x), None, extras), look.levels)


def leave_numbers(whole: Whole, wanted: Wanted) -> Numbers:
    """The same numbers, left where they are; those that cannot be read row by row are copied.

    Args:
        whole, wanted: as for :func:`read_numbers`

    Raises:
        DataError: values of another kind, or a copy for which the disk has no room.
    """
    form, shape = form_of(whole, wanted)
    look = _Look(form, whole)
    where = whole.arrays[0][1]
    lasting = all(getattr(array, "lasting", False) for array, _ in whole.arrays)
    scratch = None if lasting else Scratch(shape, form.dtype, where)
    for _, block in look.blocks():
        if scratch is not None:
            scratch.write(block)
    arrays = whole.arrays
    if scratch is not None:
        arrays, form = ((scratch.rows(), where),), replace(form, wanted=Wanted(), side="first")
    source = ArraysSource(arrays, replace(form, masked=look.missing > 0))
    rows = StoredBatch.of_source(source, shape[0])
    place = "a file without a name in " + str(scratch_folder()) if scratch else "their file"
    _log.warning(
        "%s: %s numbers of %d bytes (%s) are not held in memory; they are read from %s as they are "
        "needed, in shuffled blocks",
        *(where, " x ".join(map(str, shape)), form.dtype.itemsize),
        *(readable(form.dtype.itemsize * math.prod(shape)), place),
    )
    return Numbers(replace(rows, extras={**rows.extras, **look.extras()}), look.levels)


class _Look:
    """All numbers once, as they are wanted but for NaN, and what they turn out to be."""

    def __init__(self, form: Form, whole: Whole) -> None:
        self._form, self._arrays = form, whole.arrays
        counts = form.values in ("counts", "corrected")
        self._library = np.zeros(sum(whole.sizes), np.float32) if counts else None
        self._levels = 1
        self.missing = 0  #: values so far

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """The number of the first row of each block, and the block.

        Raises:
            DataError: a value that is not what it is said to be.
        """
        form, start = self._form, 0
        for array, where in self._arrays:
            for begin, stored in _blocks(array, where, form.values):
                block = form.arranged(stored, where)
                if form.values == "levels":
                    block, highest = grey_levels(block, where, form.wanted.levels)
                    self._levels = max(self._levels, highest)
                else:
                    numbers = torch.from_numpy(block)
                    check(form.values, numbers, where, begin)
                    if self._library is not None:
                        to = slice(start + begin, start + begin + len(block))
                        self._library[to] = numbers.flatten(1).sum(1).numpy()
                    self.missing += int(np.isnan(block).sum())
                yield start + begin, block
            start += array.shape[0]
        if self.missing:
            share = 100 * self.missing / (start * math.prod(block.shape[1:]))
            _log.warning("%s: %.2g %% of the values are missing; they are masked", where, share)

    @property
    def levels(self) -> int | None:
        """The highest level, where there are levels."""
        return self._levels if self._form.values == "levels" else None

    def extras(self) -> dict[str, Tensor]:
        """What was found for each row."""
        return {} if self._library is None else {"library": torch.from_numpy(self._library)}


def _blocks(array: Any, where: str, values: str) -> Iterator[tuple[int, Array]]:
    """The first row of each block of an array, and the block: levels as stored, others float32."""
    rows = max(1, BLOCK // max(1, math.prod(array.shape[1:])))
    for begin in range(0, array.shape[0], rows):
        with said_of(where, "what its header says"):
            stored = np.asarray(array[begin : begin + rows])
        yield begin, stored if values == "levels" else stored.astype(np.float32)
