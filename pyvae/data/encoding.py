"""How data became numbers, so that other data can become the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split
from pyvae.data.columns import Column
from pyvae.data.conditions import Conditions
from pyvae.errors import DataError
from pyvae.hints import did_you_mean

__all__ = ["Encoding"]


@dataclass(frozen=True)
class Encoding:
    """What data set numbers by themselves, and what their numbers therefore mean.

    Args:
        conditions: what the places of the extra "condition" mean
        columns: of a table: their order, and the categories that the codes stand for
        scale: mean and standard deviation (*data_shape) that were taken out
    """

    conditions: Conditions | None = None
    columns: tuple[Column, ...] = ()
    scale: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(cls, data: DataSplits) -> Encoding:
        """That of a data set."""
        return cls(data.conditions, data.columns, data.scale)

    def to_dict(self) -> dict[str, Any]:
        """All of it that there is, fit for JSON."""
        found: dict[str, Any] = {}
        if self.conditions is not None:
            found["conditions"] = self.conditions.to_dict()
        if self.columns:
            found["columns"] = [asdict(column) for column in self.columns]
        if self.scale is not None:
            found["scale"] = [values.tolist() for values in self.scale]
        return found

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Encoding:
        """What :meth:`to_dict` gave, also among other things.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        conditions = saved.get("conditions")
        mean_and_std = [torch.tensor(values) for values in saved.get("scale", ())]
        columns = [{**c, "categories": tuple(c["categories"])} for c in saved.get("columns", ())]
        return cls(
            None if conditions is None else Conditions.from_dict(conditions),
            tuple(Column(**column) for column in columns),
            (mean_and_std[0], mean_and_std[1]) if mean_and_std else None,
        )

    def applied(self, data: DataSplits) -> DataSplits:
        """Other data with the columns in this order, in these codes and on this scale.

        Raises:
            DataError: a column that is missing or of another kind, or a category that is not known.
        """
        if data.scale is not None:
            shift, factor = data.scale
            data = data.rowwise(lambda split: _changed(split, split.x * factor + shift))
            data = replace(data, scale=None)
        if self.columns and data.columns and self.columns != data.columns:
            data = self._in_columns(data)
        if self.scale is not None:
            mean, std = self.scale
            data = data.rowwise(lambda split: _changed(split, (split.x - mean) / std))
            data = replace(data, scale=self.scale)
        return data

    def _in_columns(self, data: DataSplits) -> DataSplits:
        there = {column.name: place for place, column in enumerate(data.columns)}
        places, codes = [], {}
        for place, wanted in enumerate(self.columns):
            if wanted.name not in there:
                raise DataError(
                    f"{data.name} has no column {wanted.name!r}"
                    f"{did_you_mean(wanted.name, there) or '.'} Columns: {', '.join(there)}"
                )
            places.append(there[wanted.name])
            codes[place] = _codes(data, data.columns[there[wanted.name]], wanted)
        if len(there) > len(places):
            more = [name for name in there if name not in {c.name for c in self.columns}]
            raise DataError(f"{data.name} has further columns, {', '.join(more)}: drop them")

        def moved(split: Split) -> Split:
            mask = split.extras.get("mask")
            extras = {} if mask is None else {"mask": mask[:, places]}
            x = split.x[:, places]
            for place, table in codes.items():
                if table is not None:
                    x[:, place] = table[x[:, place].long()]
            return _changed(replace(split, extras={**split.extras, **extras}), x)

        return replace(data.rowwise(moved), columns=self.columns)


def _codes(data: DataSplits, found: Column, wanted: Column) -> Tensor | None:
    """The code of each category of a column; None: its values are numbers.

    Raises:
        DataError: one of the two holds numbers, or a category is not known.
    """
    if "categories" not in (found.kind, wanted.kind):
        return None
    if found.kind != wanted.kind:
        raise DataError(
            f"{data.name}: {found.name} must hold {wanted.kind}, as in the data before, got "
            f"{found.kind}"
        )
    for name in found.categories:
        if name not in wanted.categories:
            near = did_you_mean(name, wanted.categories)
            raise DataError(
                f"{data.name}: {found.name} has no category {name!r}{near or '.'} "
                f"Categories: {', '.join(wanted.categories)}"
            )
    places = [wanted.categories.index(name) for name in found.categories]
    return torch.tensor(places or [0], dtype=torch.float32)


def _changed(split: Split, x: Tensor) -> Split:
    """Other values; 0 stays where none was observed."""
    mask = split.extras.get("mask")
    return replace(split, x=x if mask is None else x.masked_fill(~mask, 0))
