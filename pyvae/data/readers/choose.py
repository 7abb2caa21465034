"""Which of the arrays in a file are the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyvae.data.readers.base import list_of
from pyvae.errors import DataError

__all__ = ["DATA", "LABELS", "chosen"]

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
