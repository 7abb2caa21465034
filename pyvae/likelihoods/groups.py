"""Which likelihood which columns of a table have, as options state it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Group", "groups_of"]


@dataclass(frozen=True)
class Group:
    """Columns of one likelihood.

    Args:
        name: of the likelihood
        levels: how many categories each of the columns has, of ``categorical``
        columns: their places in a row
    """

    name: str
    levels: int | None
    columns: tuple[int, ...]


def groups_of(parts: Sequence[str], number: int) -> list[Group]:
    """The groups of columns, in which those of one likelihood are together.

    Raises:
        ValueError: a part is not written ``name:columns`` or ``categorical:columns:levels``, or all
            together have another number of columns than the data.

    >>> first, second = groups_of(["gaussian:2", "categorical:1:3", "gaussian:1"], 4)
    >>> first.columns, second
    ((0, 1, 3), Group(name='categorical', levels=3, columns=(2,)))
    """
    found: dict[tuple[str, int | None], list[int]] = {}
    done = 0
    for part in [parts] if isinstance(parts, str) else parts:
        name, columns, levels = _read(part)
        found.setdefault((name, levels), []).extend(range(done, done + columns))
        done += columns
    if not parts or done != number:
        raise ValueError(
            f"mixed likelihood: parts must name the likelihoods of {number} columns, as "
            f"gaussian:{max(1, number - 1)},bernoulli:1 do, got {done} columns"
        )
    return [Group(name, levels, tuple(columns)) for (name, levels), columns in found.items()]


def _read(part: str) -> tuple[str, int, int | None]:
    name, *numbers = str(part).split(":")
    wanted = 2 if name == "categorical" else 1
    whole = [int(text) for text in numbers if text.isdecimal()]
    if len(numbers) != wanted or len(whole) != wanted or min(whole) < 1:
        raise ValueError(
            "mixed likelihood: a part must be name:columns, or categorical:columns:levels, "
            f"got {part!r}"
        )
    return name, whole[0], whole[1] if wanted == 2 else None
