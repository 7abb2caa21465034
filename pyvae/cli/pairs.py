"""Options of parts as the command line has them: name=value pairs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from pyvae.errors import UserError

__all__ = ["parse_pairs"]


def parse_pairs(pairs: Iterable[str], flag: str) -> dict[str, Any]:
    """Options from the command line: ``hidden=256,256 activation=relu centered=true``.

    A value is a Python number, true, false, none, several of these with commas between, or text.

    Raises:
        UserError: a pair without ``=``, or a name that is there twice.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UserError(f"{flag} takes name=value pairs, got {pair!r}")
        parts = [_value(part) for part in text.split(",") if part]
        name = name.replace("-", "_")
        if name in options:
            raise UserError(f"{flag} has {name} twice; several values go as {name}=one,two")
        options[name] = parts if "," in text else _value(text)
    return options


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, (int, float, str)) else text
