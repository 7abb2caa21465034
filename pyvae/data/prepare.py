"""What can be asked of any data set: log1p, standardized values, conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from pyvae.data.base import DataSplits, Split
from pyvae.data.condition import Condition, asked
from pyvae.data.conditions import Conditions
from pyvae.data.fields import Field
from pyvae.data.labels import UNLABELLED
from pyvae.data.survey import moments
from pyvae.errors import DataError

__all__ = ["LABEL", "log1p", "standardize", "with_conditions"]

LABEL = "label"  # the condition that is the class of a row
_ROWS, _NUMBERS = 10_000, 2**20  # looked at at a time


def log1p(data: DataSplits) -> DataSplits:
    """log(1 + x) in the place of x, in each column that is a number.

    Raises:
        DataError: grey levels, or values below 0.
    """
    _check_real(data, "log1p")
    chosen = _number_columns(data)
    for name, split in data.splits.items():
        if any(float(block.x[:, chosen].min()) < 0 for block in split.blocks(_ROWS, _NUMBERS)):
            raise DataError(
                f"{data.name}: log1p needs values of at least 0, the {name} split has others"
            )

    def logs(split: Split) -> Split:
        x = split.x.clone()
        x[:, chosen] = x[:, chosen].log1p()
        return replace(split, x=x)

    columns = tuple(
        replace(c, kind="real", whole=False) if c.kind in ("real", "counts") else c
        for c in data.columns
    )
    return replace(data.rowwise(logs), columns=columns)


def standardize(data: DataSplits) -> DataSplits:
    """x with mean 0 and standard deviation 1 over the training rows, where columns are numbers.

    Values that are missing count for nothing; what does not vary is only centred.

    Raises:
        DataError: grey levels.
    """
    _check_real(data, "standardize")
    mean, std = moments(data.train)
    left = torch.ones(data.data_shape, dtype=torch.bool)
    left[_number_columns(data)] = False
    mean = mean.masked_fill(left, 0).float()
    std = std.masked_fill(left | (std == 0), 1).float()

    def scaled(split: Split) -> Split:
        x = (split.x - mean) / std
        mask = split.extras.get("mask")
        return replace(split, x=x if mask is None else x.masked_fill(~mask, 0))

    columns = tuple(
        replace(c, kind="real", whole=True) if c.kind == "counts" else c for c in data.columns
    )
    return replace(data.rowwise(scaled), columns=columns, scale=(mean, std))


def with_conditions(data: DataSplits, wanted: Sequence[str] | Conditions) -> DataSplits:
    """The data set with the extra "condition" (B, C), and what it means.

    Args:
        data: the data set, with the fields of these names
        wanted: names of fields, or "label" for the classes, each perhaps with an embedding (see
            :func:`pyvae.data.condition.asked`); or conditions as they were made of other data

    Raises:
        DataError: no such field, or one from which no condition can be made.
    """
    if not isinstance(wanted, Conditions):
        made = []
        for name, embedding in map(asked, wanted):
            values = Field.cat(_fields(data, name))
            made.append(Condition.of(name, values, len(data.train), embedding))
        wanted = Conditions(tuple(made))
        twice = next((name for name in wanted.names if wanted.names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"the condition {twice!r} was named twice")
    encoded = [[part.encode(one) for one in _fields(data, part.name)] for part in wanted.parts]
    vectors = [torch.cat(split, 1) for split in zip(*encoded, strict=True)]
    train, valid, test = (
        replace(split, extras={**split.extras, "condition": vector})
        for split, vector in zip(data.splits.values(), vectors, strict=True)
    )
    return replace(data, train=train, valid=valid, test=test, conditions=wanted)


def _fields(data: DataSplits, name: str) -> tuple[Field, ...]:
    if name in data.fields:
        return data.fields[name]
    if name != LABEL:
        known = [*data.fields, *([LABEL] if data.train.y is not None else [])]
        raise DataError(
            f"{data.name} has no condition {name!r}; it has {', '.join(known) or 'none'}"
        )
    return tuple(_classes(data, split) for split in data.splits.values())


def _classes(data: DataSplits, split: Split) -> Field:
    if split.y is None:
        raise DataError(
            f"{data.name} has no labels that could be a condition; a column is one by labels=NAME"
        )
    names = [_class_name(data, code) for code in split.y.tolist()]
    return Field.of([None if name == UNLABELLED else name for name in names])


def _class_name(data: DataSplits, code: int) -> str:
    """The name of a class; -1 is a row whose label is hidden."""
    if code < 0:
        return UNLABELLED
    return data.classes[code] if data.classes else str(code)


def _check_real(data: DataSplits, what: str) -> None:
    if data.levels is not None or not data.train.x.is_floating_point():
        has = f"levels from 0 to {data.levels}" if data.levels else f"{data.train.x.dtype} values"
        raise DataError(
            f"{data.name} has {has}; {what}=true is for real values and counts (values=real reads "
            f"the levels of a file as numbers)"
        )


def _number_columns(data: DataSplits) -> list[int]:
    """The first index of x that are numbers: all, but for columns of bits and categories."""
    if not data.columns:
        return list(range(data.data_shape[0]))
    return [i for i, c in enumerate(data.columns) if c.kind in ("real", "counts")]
