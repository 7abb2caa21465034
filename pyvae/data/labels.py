"""From labels as files hold them (strings, numbers, some of them missing) to classes."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from pyvae.data.fields import Field, text_of
from pyvae.errors import DataError

__all__ = ["UNLABELLED", "as_classes"]

UNLABELLED = "unlabelled"

_log = logging.getLogger(__name__)


def as_classes(labels: Field, where: str, rows: int) -> tuple[Tensor, tuple[str, ...]]:
    """Classes (rows,) as int64: 0, 1, ... in the order of the sorted labels; and their names.

    Rows without a label are one class of their own, the last; how many they are is logged.

    Args:
        labels: strings, bytes, booleans or numbers, (rows,)
        where: where they come from, for messages
        rows: how many there must be

    Raises:
        DataError: another number of labels, or values that cannot be labels.
    """
    values = labels.values
    if values.shape != (rows,):
        raise DataError(
            f"{where}: there must be {rows} labels, one for each row, got {values.shape}"
        )
    if values.dtype.kind not in "OSUbiuf":
        raise DataError(f"{where} holds no labels: its values are {values.dtype}")
    absent = labels.absent
    if values.dtype.kind == "O":
        values = labels.texts().astype(str)
    classes, codes = np.unique(values[~absent], return_inverse=True)
    found = np.full(rows, len(classes), dtype=np.int64)
    found[~absent] = codes
    names = tuple(text_of(name) for name in classes.tolist())
    if absent.any():
        _log.warning(
            "%s: %d of %d rows have no label; they are one class, %r (class %d)",
            *(where, absent.sum(), rows, UNLABELLED, len(classes)),
        )
        names = (*names, UNLABELLED)
    return torch.from_numpy(found), names
