"""Rows of a table as the columns that they came from: numbers, whole numbers and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.base import DataSplits

__all__ = ["typed"]


def typed(values: Tensor, data: DataSplits) -> dict[str, Any]:
    """The columns of rows (N, D) by name: categories by theirs, others as numbers.

    What was standardized when the data were read has its own scale again. Bits and counts are whole
    numbers, unless they are means; columns of whole numbers that are taken as real are rounded.

    >>> from pyvae.data import Column, Split
    >>> columns = (Column("height", "real"), Column("species", "categories", ("oak", "ash")))
    >>> table = DataSplits("trees", *[Split(torch.zeros(1, 2))] * 3, columns=columns)
    >>> typed(torch.tensor([[12.5, 1.0]]), table)
    {'height': array([12.5]), 'species': array(['ash'], dtype='<U3')}
    """
    if data.scale is not None:
        mean, std = data.scale
        values = values * std + mean
    found: dict[str, Any] = {}
    for column, of_rows in zip(data.columns, values.T, strict=True):
        whole = bool((of_rows == of_rows.round()).all())
        if column.kind == "categories":
            names = np.array(column.categories or ("",))
            places = of_rows.round().long().clamp(0, len(names) - 1)
            found[column.name] = names[places.numpy()]
        elif column.whole or (column.kind != "real" and whole):
            found[column.name] = of_rows.round().to(torch.int64).numpy()
        else:
            found[column.name] = _short(of_rows)
    return found


def _short(numbers: Tensor) -> Any:
    """In float64, with no more digits than float32 holds."""
    return np.array([float(f"{value:.7g}") for value in numbers.tolist()])
