"""From labels as files hold them (strings, numbers, some of them missing) to classes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.errors import DataError

__all__ = ["UNLABELLED", "as_classes"]

UNLABELLED = "unlabelled"

Array = np.ndarray[Any, np.dtype[Any]]

_log = logging.getLogger(__name__)


def as_classes(labels: Array, missing: Array | None, where: str, rows: int) -> Tensor:
    """Classes (rows,) as int64: 0, 1, ... in the order of the sorted labels.

    Rows without a label are one class of their own, the last; how many they are is logged.

    Args:
        labels: strings, bytes, booleans or numbers, (rows,); NaN is a missing label
        missing: which further labels are missing, booleans (rows,), or None
        where: where they come from, for messages
        rows: how many there must be

    Raises:
        DataError: another number of labels, or values that cannot be labels.
    """
    if labels.shape != (rows,):
        raise DataError(
            f"{where}: there must be {rows} labels, one for each row, got {labels.shape}"
        )
    if labels.dtype.kind not in "OSUbiuf":
        raise DataError(f"{where} holds no labels: its values are {labels.dtype}")
    if labels.dtype.kind == "O":
        labels = np.asarray([v.decode() if isinstance(v, bytes) else str(v) for v in labels], str)
    absent = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(rows, dtype=bool)
    if missing is not None:
        absent = absent | missing.astype(bool)
    classes, codes = np.unique(labels[~absent], return_inverse=True)
    found = np.full(rows, len(classes), dtype=np.int64)
    found[~absent] = codes
    if absent.any():
        _log.warning(
            "%s: %d of %d rows have no label; they are one class, %r (class %d)",
            *(where, absent.sum(), rows, UNLABELLED, len(classes)),
        )
    return torch.from_numpy(found)
