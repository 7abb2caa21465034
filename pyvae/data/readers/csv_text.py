"""Text files of tables: what is between their values, and the place of what is wrong in them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyvae.errors import DataError

__all__ = ["MISSING", "check_lines", "check_names", "separator_of"]

#: How missing values are written, beside nothing at all.
MISSING = ("", "NA", "N/A", "n/a", "na", "null", "NULL", "None", "none", "NaN", "nan", "?")

_SEPARATORS = ",;\t|"


def separator_of(path: Path) -> str:
    """What stands between the values of the first line; a tab in .tsv files."""
    if path.name.lower().endswith(".tsv"):
        return "\t"
    with open(path, "rb") as file:
        first = file.readline(1_000_000).decode(errors="replace")
    if not first.strip():
        raise DataError(f"{path} is empty, or its first line is")
    return max(_SEPARATORS, key=first.count)


def check_names(names: Sequence[str], path: Path) -> None:
    """Raises: DataError: the names of the columns are numbers, the first row most likely."""
    if names and all(_is_number(name.partition("_duplicated_")[0]) for name in names):
        raise DataError(
            f"{path}: its first row holds numbers in the place of the names of its columns; "
            f"header=false if it has no names"
        )


def check_lines(path: Path, separator: str) -> None:
    """Read a file line by line, to say where it is wrong.

    Raises:
        DataError: a line that is not UTF-8, or has not as many values as the first.
    """
    width = 0
    try:
        for number, values in _lines(path, separator):
            width = width or len(values)
            if values and len(values) != width:
                raise DataError(
                    f"{path}: line {number} has {len(values)} values where the first has {width}"
                )
    except UnicodeDecodeError as bad:
        raise DataError(
            f"{path}: line {_line_of(path)} is not UTF-8 text ({bad.reason}); save it as UTF-8"
        ) from bad
    except csv.Error:  # a value longer than it takes, which polars does
        return


def _lines(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        for values in reader:
            yield reader.line_num, values


def _line_of(path: Path) -> int:
    """The first line that is no UTF-8."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
