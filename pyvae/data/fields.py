"""One value for each row, as a file holds it: labels, covariates, the name of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Field", "Fields", "text_of"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Field:
    """Values (N,) and which of them are missing.

    Args:
        values: texts, numbers or booleans; one that is missing may be anything
        missing: booleans (N,); None: whatever is NaN or None, and nothing else

    >>> Field(np.array([1.0, np.nan])).absent.tolist()
    [False, True]
    """

    values: Array
    missing: Array | None = None

    @property
    def absent(self) -> Array:
        """Which values are missing, booleans (N,)."""
        values = self.values
        if values.dtype.kind == "f":
            absent = np.isnan(values)
        elif values.dtype.kind == "O":
            absent = np.array([v is None or v != v for v in values], dtype=bool)
        else:
            absent = np.zeros(values.shape, dtype=bool)
        return absent if self.missing is None else absent | self.missing.astype(bool)

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers, and not texts or booleans."""
        return self.values.dtype.kind in "iuf"

    def texts(self) -> Array:
        """Each value as text (N,), as people write it."""
        return np.array([text_of(value) for value in self.values.tolist()], dtype=object)

    def take(self, index: Array) -> Field:
        """The rows of an index."""
        return Field(self.values[index], None if self.missing is None else self.missing[index])

    @classmethod
    def of(cls, values: Sequence[Any]) -> Field:
        """A field from a list in which None is missing: of numbers where all others are numbers.

        >>> Field.of([3, None]).numeric, Field.of([3, "three"]).numeric
        (True, False)
        """
        missing = np.array([value is None for value in values], dtype=bool)
        kinds = {type(value) for value in values if value is not None}
        if kinds and kinds <= {int, float}:
            whole = kinds == {int} and all(abs(v) < 2**53 for v in values if v is not None)
            filled = [0 if value is None else value for value in values]
            return cls(np.array(filled, dtype=np.int64 if whole else np.float64), missing)
        return cls(np.array([*values, None], dtype=object)[:-1], missing)  # never an array of lists

    @classmethod
    def cat(cls, parts: Sequence[Field]) -> Field:
        """Fields one behind the other; as texts where some are numbers and some are not."""
        absent = np.concatenate([part.absent for part in parts])
        alike = len({part.numeric for part in parts}) == 1
        return cls(np.concatenate([p.values if alike else p.texts() for p in parts]), absent)


class Fields(Mapping[str, Field]):
    """Fields that are read when they are asked for.

    Args:
        names: their names
        read: reads one
    """

    def __init__(self, names: Iterable[str] = (), read: Callable[[str], Field] | None = None):
        self._names, self._read = tuple(dict.fromkeys(names)), read

    def __getitem__(self, name: str) -> Field:
        if name not in self._names or self._read is None:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def text_of(value: object) -> str:
    """How a value is written as the name of a category.

    >>> text_of(7.0), text_of(0.25), text_of(b"T cell"), text_of(True)
    ('7', '0.25', 'T cell', 'True')
    """
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
