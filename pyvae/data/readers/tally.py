"""What a column of a table holds, found while its values come by, and the numbers of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyvae.data.columns import Column, Kind
from pyvae.errors import DataError, optional

__all__ = ["Tally", "is_text"]

Array = np.ndarray[Any, np.dtype[Any]]

_MOST_CATEGORIES = 1000
_MOST_TEXTS = 1_000_000  # that are told apart of a column that is refused for having so many
_FEW = 10  # texts of which each may well be there but once
_MOSTLY = 0.9  # of the texts of a column are numbers: then the others are mistakes
# Whole numbers are taken for counts where a Poisson may explain them: its spread is that of its
# mean, which no network can change, and of large numbers a part of the mean so small that every
# value is an outlier. What differs from row to row, as latents explain, adds to the variance.
_LARGE, _DISPERSION = 20.0, 4.0  # the greatest mean; variance over mean, or its inverse
_EXACT = 2**24  # whole numbers below are themselves in float32


class Tally:
    """A column, of which a part of the values is seen at a time.

    Args:
        name: of the column
        dtype: polars' type of its values
        named: the kind that it is said to be; None: found
        where: the file and the column, for messages

    Raises:
        DataError: values of which no numbers can be made.
    """

    def __init__(self, name: str, dtype: Any, named: Kind | None, where: str) -> None:
        polars = _polars()
        if dtype.is_nested() or dtype.is_temporal() or dtype == polars.Binary:
            raise DataError(
                f"{where} holds {dtype}, of which no numbers can be made; leave it out with "
                f"drop={name}"
            )
        self.name, self._dtype, self._named, self._where = name, dtype, named, where
        self._text = is_text(dtype)
        self._categories = named == "categories" or (self._text and named is None)
        self._rows = self._missing = 0
        self._names: set[str] = set()
        self._numbers = 0  # of texts that are such
        self._odd: tuple[str, int] | None = None  # the first text that is none, and its row
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._low, self._high = math.inf, -math.inf
        self._codes: dict[str, float] | None = None

    def add(self, series: Any) -> None:
        """See the values of the next rows.

        Raises:
            DataError: one that is not what the column is said to hold, with its row.
        """
        self._missing += series.null_count()
        if self._categories:
            self._add_texts(series.cast(_polars().String))
        else:
            self._add_numbers(series)
        self._rows += len(series)

    def column(self) -> Column:
        """What the column is, once all values were seen.

        Raises:
            DataError: it holds nothing, too many texts, or numbers but for a few texts.
        """
        if self._missing == self._rows:
            raise DataError(
                f"{self._where} holds no value at all; leave it out with drop={self.name}"
            )
        if not self._categories:
            kind, note = (self._named, "") if self._named else self._kind()
            whole = kind == "real" and self._dtype.is_integer()
            return Column(self.name, kind, whole=whole, note=note)
        if self._odd and _MOSTLY * (self._rows - self._missing) <= self._numbers:
            raise self._refused(*self._odd)
        if len(self._names) > _MOST_CATEGORIES and self._named is None:
            more = "at least " if len(self._names) >= _MOST_TEXTS else ""
            raise DataError(
                f"{self._where} holds {more}{len(self._names)} different texts: leave it out with "
                f"drop={self.name}, or keep it with categories={self.name}"
            )
        note = ""
        if self._named is None and len(self._names) == self._rows - self._missing > _FEW:
            note = f"each but once: drop={self.name} leaves it out"
        return Column(self.name, "categories", tuple(sorted(self._names)), note=note)

    def numbers(self, series: Any) -> Array:
        """Values as float32 (N,), NaN where they are missing, once all were seen."""
        if not self._categories:
            return self._parsed(series).astype(np.float32)
        if self._codes is None:
            self._codes = {name: float(code) for code, name in enumerate(sorted(self._names))}
        texts = series.cast(_polars().String).to_list()
        return np.array([self._codes.get(text, math.nan) for text in texts], dtype=np.float32)

    def _add_texts(self, texts: Any) -> None:
        if self._named or len(self._names) < _MOST_TEXTS:
            self._names.update(texts.drop_nulls().unique().to_list())
        if self._named is None:
            parsed = texts.cast(_polars().Float64, strict=False)
            self._numbers += len(parsed) - parsed.null_count()
            self._odd = self._odd or self._first_odd(texts, parsed)

    def _add_numbers(self, series: Any) -> None:
        values = self._parsed(series)
        present = values[~np.isnan(values)]
        if not len(present):
            return
        if np.isinf(present).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise self._must("finite numbers", values, row)
        if self._named in ("bits", "counts"):
            good = (present >= 0) & (present == present.round()) & (present < _EXACT)
            if self._named == "bits":
                good &= present <= 1
            if not good.all():
                row = int(np.flatnonzero(~np.isnan(values))[np.flatnonzero(~good)[0]])
                bits = self._named == "bits"
                raise self._must(
                    "zeros and ones" if bits else "whole numbers from 0 to 2^24 - 1", values, row
                )
        self._count += len(present)
        self._sum += float(present.sum())
        self._squares += float(np.square(present).sum())
        self._low = min(self._low, float(present.min()))
        self._high = max(self._high, float(present.max()))

    def _parsed(self, series: Any) -> Array:
        """Values as float64, NaN where they are missing."""
        polars = _polars()
        if self._text:
            texts = series.cast(polars.String)
            series = texts.cast(polars.Float64, strict=False)
            odd = self._first_odd(texts, series)
            if odd is not None:
                raise self._refused(*odd, said=f" ({self._named})")
        found: Array = series.cast(polars.Float64).fill_null(math.nan).to_numpy()
        return found

    def _kind(self) -> tuple[Kind, str]:
        """The kind of a column of numbers, and why whole numbers are no counts."""
        if self._dtype == _polars().Boolean:
            return "bits", ""
        if not self._dtype.is_integer() or self._low < 0 or self._high >= _EXACT:
            return "real", ""
        if self._high <= 1:
            return "bits", ""
        mean = self._sum / self._count
        ratio = (self._squares / self._count - mean**2) / mean
        if mean > _LARGE:
            return "real", f"whole numbers, no counts: their mean is {mean:.3g}"
        if not 1 / _DISPERSION <= ratio <= _DISPERSION:
            said = f"{ratio:.2g} times their mean"
            return "real", f"whole numbers, no counts: their variance is {said}"
        return "counts", ""

    def _first_odd(self, texts: Any, parsed: Any) -> tuple[str, int] | None:
        """The first text that is no number, and its row."""
        if parsed.null_count() == texts.null_count():
            return None
        row = int((parsed.is_null() & texts.is_not_null()).arg_true()[0])
        return texts[row], self._rows + row

    def _refused(self, text: str, row: int, said: str = "") -> DataError:
        return DataError(f"{self._where}{said} holds numbers but for {text!r} in row {row}")

    def _must(self, expected: str, values: Array, row: int) -> DataError:
        got = f"{values[row]:g} in row {self._rows + row}"
        return DataError(f"{self._where} must hold {expected}, got {got}")


def is_text(dtype: Any) -> bool:
    """Whether polars' type is one of texts."""
    polars = _polars()
    return dtype in (polars.String, polars.Categorical, polars.Enum)


def _polars() -> Any:
    return optional("polars", "tables")
