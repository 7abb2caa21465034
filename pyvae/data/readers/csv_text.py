"""Text files of tables: what is between their values, and the place of what is wrong in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
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


def check_lines(text: bytes, separator: str, path: Path, width: int, before: int) -> None:
    """Read text line by line, to say where it is wrong.

    Args:
        text: lines of a table
        separator: what stands between two values
        path: the file that it comes from, for messages
        width: how many values the first line of the file has; 0: it is the first of the text
        before: how many lines come before the text

    Raises:
        DataError: a line that is not UTF-8, or has another number of values.
    """
    try:
        lines = csv.reader(io.StringIO(text.decode(), newline=""), delimiter=separator)
        for values in lines:
            width = width or len(values)
            if values and len(values) != width:
                raise DataError(
                    f"{path}: line {before + lines.line_num} has {len(values)} values where the "
                    f"first has {width}"
                )
    except UnicodeDecodeError as bad:
        line = before + 1 + text.count(b"\n", 0, bad.start)
        raise DataError(
            f"{path}: line {line} is not UTF-8 text ({bad.reason}); save it as UTF-8"
        ) from bad
    except csv.Error:  # a value longer than it takes, which polars does
        return


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
