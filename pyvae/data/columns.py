"""What is known of the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["KINDS", "Column", "Kind"]

Kind = Literal["real", "bits", "categories", "counts"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Column:
    """One variable of data whose rows are rows of a table.

    Args:
        name: what the file calls it
        kind: "real": any finite numbers; "bits": zeros and ones; "categories": a place in
            ``categories``, as a whole number; "counts": whole numbers of at least 0
        categories: the names of the categories, in the order of their codes
        whole: whether the file holds whole numbers, of a column that is real
        note: why it is of this kind, where that needs a word

    >>> Column("species", "categories", ("Adelie", "Gentoo")).categories[1]
    'Gentoo'
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    whole: bool = False
    note: str = ""
