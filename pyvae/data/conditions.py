"""Conditions of rows (labels, covariates) as vectors, and what each place of them means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.data.condition import Condition
from pyvae.data.fields import Field
from pyvae.errors import DataError
from pyvae.hints import did_you_mean

__all__ = ["Conditions"]


@dataclass(frozen=True)
class Conditions:
    """What a vector of conditions means: which places belong to which condition.

    Args:
        parts: the conditions, in the order of their places

    >>> from pyvae.data.condition import Condition
    >>> digit = Condition("digit", "categories", ("3", "7"))
    >>> both = Conditions((digit, Condition("age", "number", mean=40.0, std=10.0)))
    >>> both.places
    ('digit=3', 'digit=7', 'digit missing', 'age', 'age missing')
    >>> both.encode({"digit": 7, "age": 50}).tolist()  # one row
    [[0.0, 1.0, 0.0, 1.0, 0.0]]
    >>> both.encode({"age": [30, None]}).tolist()  # what is not said is missing
    [[0.0, 0.0, 1.0, -1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0]]
    """

    parts: tuple[Condition, ...] = field(default=())

    @property
    def dim(self) -> int:
        """The length C of the vector."""
        return len(self.places)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the conditions."""
        return tuple(part.name for part in self.parts)

    @property
    def places(self) -> tuple[str, ...]:
        """What each place means (C of them)."""
        return tuple(place for part in self.parts for place in part.places)

    @property
    def embeddings(self) -> tuple[tuple[int, int, int], ...]:
        """For each place that holds the number of a category: the place, how many numbers there
        are, and the width of its embedding, as ``condition_embeddings`` of a model takes them."""
        ends = accumulate(len(part.places) for part in self.parts)
        return tuple(
            (end - 1, len(part.categories) + 1, part.embedding)
            for part, end in zip(self.parts, ends, strict=True)
            if part.embedding
        )

    def encode(self, rows: Mapping[str, Any]) -> Tensor:
        """Conditions by name as float32 (B, C); those that are not named are missing.

        Args:
            rows: for each condition one value, or B of them (a sequence, an array, a tensor, a
                Field); None is a missing value

        Raises:
            DataError: an unknown condition or category, what is no number, or numbers of values
                that differ.
        """
        for name in rows:
            if name not in self.names:
                raise DataError(
                    f"there is no condition {name!r}{did_you_mean(name, self.names) or '.'} "
                    f"Conditions: {', '.join(self.names) or 'none'}"
                )
        fields = {name: _field(values) for name, values in rows.items()}
        sizes = {len(values.values) for values in fields.values()} or {1}
        size = max(sizes)
        if not sizes <= {1, size}:
            counts = ", ".join(f"{len(v.values)} of {name}" for name, v in fields.items())
            raise DataError(f"conditions must have as many values as each other, got {counts}")
        nothing = Field(np.full(1, None, dtype=object))
        encoded = [part.encode(fields.get(part.name, nothing)) for part in self.parts]
        return torch.cat([one.expand(size, -1) for one in encoded], 1)

    def to_dict(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        return {"parts": [asdict(part) for part in self.parts]}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Conditions:
        """What :meth:`to_dict` gave."""
        parts = [{**part, "categories": tuple(part["categories"])} for part in saved["parts"]]
        return cls(tuple(Condition(**part) for part in parts))


def _field(values: Any) -> Field:
    if isinstance(values, Field):
        return values
    if isinstance(values, Tensor):
        values = values.cpu().numpy()
    if isinstance(values, np.ndarray):
        return Field(np.atleast_1d(values))
    if isinstance(values, str) or not isinstance(values, Sequence):
        values = [values]
    return Field(np.array(list(values), dtype=object))
