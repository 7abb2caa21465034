"""Conditions on the command line: ``--condition digit=7``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvae.errors import UserError

if TYPE_CHECKING:
    import argparse

    from torch import Tensor

    from pyvae.training import RunFolder

__all__ = ["add_condition", "given_conditions"]


def add_condition(parser: argparse.ArgumentParser, what: str) -> None:
    """The option of a conditional model."""
    parser.add_argument(
        "--condition", nargs="+", metavar="NAME=VALUE", help=f"{what}, such as label=7 or label=3,8"
    )


def given_conditions(folder: RunFolder, pairs: list[str]) -> dict[str, Tensor]:
    """The side input that name=value pairs stand for: one row for each of a list of values.

    A condition that is not named is missing.

    Raises:
        UserError: the run has no conditions, none of this name or value, a name that is given
            twice, or lists that differ in their length.
    """
    conditions = folder.conditions()
    values: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UserError(f"--condition takes name=value pairs, got {pair!r}")
        if name in values:
            raise UserError(
                f"--condition: {name} is given twice; several values go behind one {name}=, "
                f"separated by commas"
            )
        values[name] = text.split(",")
    rows = max(map(len, values.values()))
    for name, listed in values.items():
        if len(listed) not in (1, rows):
            raise UserError(
                f"--condition: {name} has {len(listed)} values, another one has {rows}; give one "
                f"or as many"
            )
        values[name] = listed * (rows // len(listed))
    return {"condition": conditions.encode(values)}
