"""Values against type hints, and names against those there are. Imports nothing of the library."""

from __future__ import annotations

import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

__all__ = ["conform", "did_you_mean", "hints_of", "takes_many", "words_of"]


def did_you_mean(value: object, choices: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no choice is near."""
    nearest = get_close_matches(str(value), list(choices), n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def conform(value: Any, hint: Any) -> Any:
    """A value as its type hint has it: whole numbers for int, finite ones for float, no guessing.

    What a hint cannot say anything about (a class, Any) is taken as it is.

    Raises:
        TypeError: the value is of another type.

    >>> conform(3, float), conform([1, 2], tuple[int, ...]), conform(1e3, int)
    (3.0, (1, 2), 1000)
    >>> conform("20", int)
    Traceback (most recent call last):
    ...
    TypeError: must be a whole number, got '20'
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for one in inner:
            try:
                return conform(value, one)
            except TypeError:
                continue
    elif hint is types.NoneType:
        if value is None:
            return None
    elif origin is typing.Literal:
        if value in inner:
            return value
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is int:
        whole = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if whole and math.isfinite(value) and value == int(value):
            return int(value)
    elif hint is float:
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if real and math.isfinite(value):
            return float(value)
    elif hint is str:
        if isinstance(value, (str, os.PathLike)):
            return os.fspath(value)
    elif _is(origin, Mapping):
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return dict(value)
    elif _is(origin, Sequence):
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            try:
                made = [conform(one, inner[0] if inner else Any) for one in value]
            except TypeError:
                pass
            else:
                return tuple(made) if origin is tuple else made
    else:
        return value
    raise TypeError(f"must be {words_of(hint)}, got {value!r}")


def takes_many(hint: Any) -> bool:
    """Whether a type hint is that of a sequence, or none.

    >>> takes_many(Sequence[int] | None), takes_many(str)
    (True, False)
    """
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(takes_many(one) for one in typing.get_args(hint))
    return _is(typing.get_origin(hint), Sequence)


def hints_of(part: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of the arguments of a class or function, as far as they can be found."""
    function = part.__init__ if isinstance(part, type) else part  # type: ignore[misc]
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that only a type checker sees
        return {}


def words_of(hint: Any) -> str:
    """A type hint in words.

    >>> words_of(int | None), words_of(typing.Literal["a", "b"])
    ('a whole number or none', "'a' or 'b'")
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(words_of(one) for one in inner)
    if origin is typing.Literal:
        return " or ".join(map(repr, inner))
    if _is(origin, Mapping):
        return "a mapping of names"
    if _is(origin, Sequence):
        several = {int: "whole numbers", float: "numbers", str: "texts"}
        return f"a list of {several.get(inner[0] if inner else Any, 'values')}"
    known = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    known[types.NoneType] = "none"
    return known.get(hint, f"a {getattr(hint, '__name__', hint)}")


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)
