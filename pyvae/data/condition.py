"""One condition of rows (a label, a covariate) as numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pyvae.data.fields import Field
from pyvae.errors import DataError
from pyvae.hints import did_you_mean

__all__ = ["Condition", "asked"]


def asked(text: str) -> tuple[str, int]:
    """The name of a condition that was asked for, and how wide its embedding is, 0 being none.

    Raises:
        DataError: a width that is no positive number.

    >>> asked("batch"), asked("batch:embedding=8")
    (('batch', 0), ('batch', 8))
    """
    found = re.fullmatch("(.+):embedding=(.*)", text)
    if found is None:
        return text, 0
    name, width = found.groups()
    if not re.fullmatch("0*[1-9][0-9]*", width):
        raise DataError(
            f"the embedding of the condition {name!r} must have a positive width, as in "
            f"{name}:embedding=8, got {width!r}"
        )
    return name, int(width)


@dataclass(frozen=True)
class Condition:
    """One condition, and the places that it takes.

    A category is a one in its place; a number is standardized. The last place says whether the
    value is missing, and the others are 0 then. A category that is to be embedded takes one place,
    which holds its number; that of a missing value comes after all others.

    Args:
        name: what it is called
        kind: "categories" or "number"
        categories: the names of the categories
        mean, std: of a number, over the training rows
        embedding: how many numbers a model learns to put in the place of each category; 0: it is
            given ones and zeros
    """

    name: str
    kind: Literal["categories", "number"]
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    embedding: int = 0

    @classmethod
    def of(cls, name: str, values: Field, train: int, embedding: int = 0) -> Condition:
        """A condition from all values of a field, of which the first ``train`` are for training.

        Numbers that are to be embedded count as the names of categories.

        Raises:
            DataError: a number that is infinite, or no value in any of the training rows.
        """
        absent = values.absent
        if absent[:train].all():
            raise DataError(f"the condition {name!r} is missing in all rows for training")
        if embedding or not values.numeric:
            categories = tuple(sorted(set(values.texts()[~absent])))
            return cls(name, "categories", categories, embedding=embedding)
        numbers = values.values.astype(np.float64)
        if not np.isfinite(numbers[~absent]).all():
            raise DataError(f"the condition {name!r} holds infinite numbers")
        seen = numbers[:train][~absent[:train]]
        return cls(name, "number", mean=float(seen.mean()), std=float(seen.std()) or 1.0)

    @property
    def places(self) -> tuple[str, ...]:
        """What each place means."""
        if self.embedding:
            return (f"{self.name} as {self.embedding} learned numbers",)
        values = [f"{self.name}={c}" for c in self.categories] or [self.name]
        return (*values, f"{self.name} missing")

    def encode(self, values: Field) -> Tensor:
        """Values (B,) as float32 (B, len(places)).

        Raises:
            DataError: a category that is none of these, or what is no finite number.
        """
        absent = values.absent
        encoded = np.zeros((len(absent), len(self.places)), dtype=np.float32)
        encoded[absent, -1] = len(self.categories) if self.embedding else 1
        present = np.flatnonzero(~absent)
        if self.kind == "categories":
            place, texts = self._place_of(), values.texts()[present]
            found = {text: place(text) for text in set(texts)}
            codes = [found[text] for text in texts]
            if self.embedding:
                encoded[present, 0] = codes
            else:
                encoded[present, codes] = 1
        else:
            encoded[present, 0] = [
                (self._number(value) - self.mean) / self.std for value in values.values[present]
            ]
        return torch.from_numpy(encoded)

    def _place_of(self) -> Any:
        exact = {name: place for place, name in enumerate(self.categories)}
        lower = {name.lower(): place for name, place in exact.items()}

        def place(text: str) -> int:
            found = exact.get(text, lower.get(text.lower()))
            if found is None:
                near = did_you_mean(text, self.categories)
                raise DataError(
                    f"the condition {self.name!r} has no category {text!r}{near or '.'} "
                    f"Categories: {', '.join(self.categories)}"
                )
            return found

        return place

    def _number(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(f"the condition {self.name!r} must be a finite number, got {value!r}")
        return number
