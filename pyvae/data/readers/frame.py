"""Columns of a polars data frame: what kind each is, and the numbers that stand for its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.columns import Column, Kind
from pyvae.data.fields import Field
from pyvae.data.memory import check_memory
from pyvae.errors import DataError, optional

__all__ = ["field_of", "kinds_named", "numbers"]

Array = np.ndarray[Any, np.dtype[Any]]

_MOST_CATEGORIES = 1000
_MOSTLY = 0.9  # of the texts of a column are numbers: then the others are mistakes
# Whole numbers are taken for counts where a Poisson may explain them: its spread is that of its
# mean, which no network can change, and of large numbers a part of the mean so small that every
# value is an outlier. What differs from row to row, as latents explain, adds to the variance.
_LARGE, _DISPERSION = 20.0, 4.0  # the greatest mean; variance over mean, or its inverse
_EXACT = 2**24  # whole numbers below are themselves in float32


def kinds_named(**named: Sequence[str]) -> dict[str, Kind]:
    """The kinds of columns that were named, by column.

    Raises:
        DataError: a column of two kinds.
    """
    kinds: dict[str, Any] = {}
    for kind, names in named.items():
        for name in names:
            if name in kinds:
                raise DataError(f"the column {name!r} is said to be {kinds[name]} and {kind}")
            kinds[name] = kind
    return kinds


def numbers(frame: Any, kinds: Mapping[str, Kind], path: Path) -> tuple[Array, tuple[Column, ...]]:
    """A frame as float32 (N, D) with NaN where values are missing, and what its columns are.

    Raises:
        DataError: a column of which no numbers can be made, with the row where there is one.
    """
    if not frame.width or not frame.height:
        raise DataError(f"{path} is empty: {frame.height} rows of {frame.width} columns")
    size = f"a table of {frame.height} rows and {frame.width} columns"
    check_memory(2 * 4 * frame.height * frame.width, str(path), size)
    x = np.empty((frame.height, frame.width), dtype=np.float32)
    columns = []
    for place, series in enumerate(frame.get_columns()):
        where = f"{path}: {series.name}"
        x[:, place], column = _column(series, kinds.get(series.name), where)
        columns.append(column)
    return x, tuple(columns)


def field_of(series: Any, kind: Kind | None) -> Field:
    """A column as a field: categories as texts."""
    missing = series.is_null().to_numpy()
    if _is_text(series) or kind == "categories":
        values = np.array(series.cast(_polars().String).to_list(), dtype=object)
        return Field(values, missing)
    if series.dtype.is_numeric() or not missing.any():
        return Field(series.to_numpy(), missing)
    return Field(np.array(series.to_list(), dtype=object), missing)


def _column(series: Any, named: Kind | None, where: str) -> tuple[Array, Column]:
    polars = _polars()
    if series.dtype.is_nested() or series.dtype.is_temporal() or series.dtype == polars.Binary:
        raise DataError(f"{where} holds {series.dtype}, of which no numbers can be made; drop it")
    if series.null_count() == len(series):
        raise DataError(f"{where} holds no value at all; drop it")
    if _is_text(series) and named not in (None, "categories"):
        series = _parsed(series, where, named)
    if named == "categories" or _is_text(series):
        return _categories(series, where, named)
    values = series.cast(polars.Float64).fill_null(float("nan")).to_numpy()
    present = values[~np.isnan(values)]
    bad = np.flatnonzero(np.isinf(values))
    if len(bad):
        raise DataError(f"{where} must hold finite numbers, got {values[bad[0]]} in row {bad[0]}")
    kind, note = (named, "") if named else _kind(series, present)
    if kind in ("bits", "counts"):
        good = (present >= 0) & (present == present.round()) & (present < _EXACT)
        if kind == "bits":
            good &= present <= 1
        if not good.all():
            row = int(np.flatnonzero(~np.isnan(values))[np.flatnonzero(~good)[0]])
            expected = "zeros and ones" if kind == "bits" else "whole numbers from 0 to 2^24 - 1"
            raise DataError(f"{where} must hold {expected}, got {values[row]:g} in row {row}")
    whole = kind == "real" and series.dtype.is_integer()
    return values.astype(np.float32), Column(series.name, kind, whole=whole, note=note)


def _kind(series: Any, present: Array) -> tuple[Kind, str]:
    """The kind of a column of numbers, and why whole numbers are no counts."""
    if series.dtype == _polars().Boolean:
        return "bits", ""
    if not series.dtype.is_integer() or present.min() < 0 or present.max() >= _EXACT:
        return "real", ""
    if present.max() <= 1:
        return "bits", ""
    mean, variance = float(present.mean()), float(present.var())
    if mean > _LARGE:
        return "real", f"whole numbers, no counts: their mean is {mean:.3g}"
    if not 1 / _DISPERSION <= variance / mean <= _DISPERSION:
        ratio = f"{variance / mean:.2g} times their mean"
        return "real", f"whole numbers, no counts: their variance is {ratio}"
    return "counts", ""


def _categories(series: Any, where: str, named: Kind | None) -> tuple[Array, Column]:
    texts = series.cast(_polars().String)
    if named is None:
        _check_texts(texts, where)
    names = sorted(texts.drop_nulls().unique().to_list())
    if len(names) > _MOST_CATEGORIES and named is None:
        raise DataError(
            f"{where} holds {len(names)} different texts: leave it out with drop={series.name}, or "
            f"keep it with categories={series.name}"
        )
    place = {name: float(code) for code, name in enumerate(names)}
    codes = np.array([place.get(text, np.nan) for text in texts.to_list()], dtype=np.float32)
    return codes, Column(series.name, "categories", tuple(names))


def _check_texts(texts: Any, where: str) -> None:
    """Raises: DataError: numbers among which a few texts stand, which are mistakes."""
    parsed = texts.cast(_polars().Float64, strict=False)
    good, present = len(parsed) - parsed.null_count(), len(texts) - texts.null_count()
    if _MOSTLY * present <= good < present:
        _refuse(texts, parsed, where)


def _parsed(series: Any, where: str, kind: str) -> Any:
    texts = series.cast(_polars().String)
    parsed = texts.cast(_polars().Float64, strict=False)
    if parsed.null_count() > texts.null_count():
        _refuse(texts, parsed, f"{where} ({kind})")
    return parsed


def _refuse(texts: Any, parsed: Any, where: str) -> None:
    row = int((parsed.is_null() & texts.is_not_null()).arg_true()[0])
    raise DataError(f"{where} holds numbers but for {texts[row]!r} in row {row}")


def _is_text(series: Any) -> bool:
    polars = _polars()
    return series.dtype in (polars.String, polars.Categorical, polars.Enum)


def _polars() -> Any:
    return optional("polars", "tables")
