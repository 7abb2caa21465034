"""A step that finds too little memory: how many rows it would have found enough for."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from pyvae.batch import Batch
from pyvae.errors import UserError

__all__ = ["is_out_of_memory", "within_memory"]

Found = TypeVar("Found")
Step = Callable[[int, int, float, Sequence[Batch]], Found]

#: How PyTorch says it of the host's memory, by a plain RuntimeError.
_OF_THE_HOST = re.compile(r"can't allocate memory: you tried to allocate (\d+) bytes")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was missing, of a device or of the host.

    >>> is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    True
    >>> is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or bool(
        isinstance(error, RuntimeError) and _OF_THE_HOST.search(str(error))
    )


def within_memory(
    step: Step[Found],
    number: int,
    epoch: int,
    rate: float,
    stored: Sequence[Batch],
    *,
    tries: bool = True,
) -> Found:
    """Take a training step.

    Where memory is missing, steps of fewer rows are tried. They change the weights, so that the
    trainer is of no use any more; what it has saved is.

    Args:
        step: takes the other arguments
        stored: the parts of a batch
        tries: whether to look for a size that fits; of several processes none can alone, as the
            others would wait for it

    Raises:
        UserError: there is too little memory; the message says for how many rows there is enough.
    """
    try:
        return step(number, epoch, rate, stored)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        asked = _OF_THE_HOST.search(str(error))
        where = "on the GPU" if isinstance(error, torch.OutOfMemoryError) else "on the host"
    # Only here is what the step had made free again: the error held on to it.
    part = max(stored, key=len)
    short = f"there is too little memory {where} for a training step of {len(part)} rows at once"
    if not tries:
        raise UserError(
            f"{short}: give a smaller --batch-size, or an --accumulate above {len(stored)}, which "
            f"makes the same step of smaller parts"
        )
    rows = len(part) // 2
    if asked is not None:  # the host promises more memory than it has, so that a trial may end it
        rows = min(rows, int(len(part) * _free_memory() / 4 / int(asked[1])))
    while rows and not _fits(step, number, epoch, rate, part[:rows]):
        rows //= 2
    raise UserError(_sentence(short, rows, sum(map(len, stored))))


def _fits(step: Step[object], number: int, epoch: int, rate: float, rows: Batch) -> bool:
    gc.collect()
    torch.cuda.empty_cache()  # nothing happens where there is no device
    try:
        step(number, epoch, rate, [rows])
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    except ValueError:  # too few for the objective
        return False
    return True


def _free_memory() -> int:
    """Bytes of the host."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        return 2**32


def _sentence(found: str, fitting: int, batch: int) -> str:
    if not fitting:
        return f"{found}, and for none that is smaller: make the model smaller"
    return (
        f"{found}, but enough for {fitting}: give --batch-size {fitting}, or "
        f"--accumulate {-(-batch // fitting)}, which makes the same step of so many parts"
    )
