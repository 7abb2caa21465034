"""Which of the arrays in a file are the data, and what the others are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyvae.data.fields import Field, Fields
from pyvae.data.readers.base import Rows, list_of
from pyvae.errors import DataError

__all__ = ["DATA", "LABELS", "chosen", "rows_by_name"]

DATA = ("x", "X", "images", "data")
LABELS = ("y", "Y", "labels", "label")


def chosen(asked: str | None, shapes: Mapping[str, tuple[int, ...]], path: Path) -> str:
    """The name of the array with the data.

    Args:
        asked: the name that was given
        shapes: the shapes of all arrays
        path: the file, for messages

    Raises:
        DataError: there is none of that name, or no telling which.
    """
    if asked is not None:
        if asked not in shapes:
            raise DataError(f"{path} has no {asked!r}; it holds {list_of(shapes)}")
        return asked
    usual = next((name for name in DATA if name in shapes), None)
    if usual is not None:
        return usual
    wide = [name for name, shape in shapes.items() if len(shape) > 1]
    if len(wide) != 1:
        raise DataError(
            f"{path} has no array called {', '.join(DATA[:-1])} or {DATA[-1]}; it holds "
            f"{list_of(shapes)}: name the data with x=NAME"
        )
    return wide[0]


def rows_by_name(
    asked: str | None,
    shapes: Mapping[str, tuple[int, ...]],
    path: Path,
    read: Callable[[str], Any],
    read_list: Callable[[str], Any],
) -> Rows:
    """The array of the data in a file of arrays by name, whose lists of as many values are fields.

    Args:
        asked: the name of the data, if it was given
        shapes: the shapes of all arrays
        path: the file, for messages
        read: gives the array of the data, which may be read as it is sliced
        read_list: gives a list, whole

    Raises:
        DataError: there is no array of that name, or no telling which.
    """
    name = chosen(asked, shapes, path)
    lists = [key for key, shape in shapes.items() if key != name and len(shape) == 1]
    return Rows(
        read(name),
        f"{path}: {name}",
        Fields(lists, lambda key: Field(read_list(key))),
        labels=next((key for key in LABELS if key in lists), None),
    )
