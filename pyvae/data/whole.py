"""The rows of all files of a data set as one, while they are open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyvae.data.columns import Column
from pyvae.data.fields import Field
from pyvae.data.readers import Rows
from pyvae.errors import DataError

__all__ = ["Whole", "join"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Whole:
    """Rows of one file or folder, or of several, one behind the other.

    Args:
        arrays: the numbers of each, with where they come from
        columns: what each variable is, where they are a table
        fields: further values of the rows, by name
        labels: the field that holds labels
        values, channels: what the reader says of the numbers
    """

    arrays: tuple[tuple[Any, str], ...]
    columns: tuple[Column, ...]
    fields: Mapping[str, Field]
    labels: str | None
    values: str | None
    channels: str | None

    @property
    def sizes(self) -> list[int]:
        """How many rows each has."""
        return [int(array.shape[0]) for array, _ in self.arrays]


def join(parts: Sequence[Rows], labels: str | None, fields: Collection[str]) -> Whole:
    """What readers handed over, as one.

    Args:
        parts: the rows of each file or folder
        labels: the field that holds labels; None: the one that usually does
        fields: further fields to keep

    Raises:
        DataError: no numbers, or parts that do not fit together.
    """
    first = parts[0]
    for part in parts:
        if part.x.dtype.kind not in "buif" or not part.x.shape:
            raise DataError(
                f"{part.where} must be an array of numbers, got {part.x.shape} {part.x.dtype}"
            )
        if 0 in part.x.shape:
            raise DataError(f"{part.where} is empty: {part.x.shape}")
    if len({part.x.shape[1:] for part in parts}) > 1:
        said = ", ".join(f"{part.x.shape[1:]} in {part.where}" for part in parts)
        raise DataError(f"all parts must hold data of one shape, got {said}")
    labels = labels or first.labels
    kept = sorted({*fields, *([] if labels is None else [labels])})
    columns = _columns(parts)
    return Whole(
        tuple((_recoded(part, columns), part.where) for part in parts),
        columns,
        {name: Field.cat([part.field(name) for part in parts]) for name in kept},
        labels,
        first.values,
        first.channels,
    )


def _columns(parts: Sequence[Rows]) -> tuple[Column, ...]:
    """The columns of all: the categories of any, and the kind that takes the values of each."""
    first = parts[0]
    names = [[column.name for column in part.columns] for part in parts]
    for part, other in zip(parts, names, strict=True):
        if other != names[0]:
            odd = sorted(set(other) ^ set(names[0])) or other
            raise DataError(
                f"{part.where} must have the columns of {first.where}, in their order; they "
                f"differ in {', '.join(odd)}"
            )
    columns = []
    for same in zip(*(part.columns for part in parts), strict=True):
        kinds = {column.kind for column in same}
        if "categories" in kinds and len(kinds) > 1:
            raise DataError(
                f"{first.where}: the column {same[0].name!r} holds texts in some parts and "
                f"numbers in others"
            )
        widest = next(k for k in ("categories", "real", "counts", "bits") if k in kinds)
        categories = tuple(sorted({name for column in same for name in column.categories}))
        first_so = next(column for column in same if column.kind == widest)
        every = all(column.whole or column.kind in ("counts", "bits") for column in same)
        whole = widest == "real" and every
        columns.append(replace(first_so, categories=categories, whole=whole))
    return tuple(columns)


def _recoded(part: Rows, columns: tuple[Column, ...]) -> Any:
    """The numbers of a part with the codes of other categories."""
    codes = {
        place: np.array([new.categories.index(name) for name in own.categories] or [0])
        for place, (own, new) in enumerate(zip(part.columns, columns, strict=True))
        if own.categories != new.categories
    }
    return _Recoded(part.x, codes) if codes else part.x


class _Recoded:
    """The rows of a table (N, D) with other codes in some columns.

    Args:
        array: the rows
        codes: the new code of each old one, by the place of the column
    """

    def __init__(self, array: Any, codes: Mapping[int, Array]) -> None:
        self._array, self._codes = array, codes
        self.shape, self.dtype = array.shape, array.dtype
        self.lasting = getattr(array, "lasting", False)

    def __getitem__(self, rows: slice) -> Array:
        x = np.array(self._array[rows])
        for place, code in self._codes.items():
            seen = ~np.isnan(x[:, place])
            x[seen, place] = code[x[seen, place].astype(int)]
        return x
