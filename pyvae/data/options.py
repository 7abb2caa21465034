"""Options of data sets as the command line gives them: lone values for lists, numbers for names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pyvae.hints import did_you_mean, hints_of, takes_many
from pyvae.registry import readers

__all__ = ["check_options", "lenient", "names_of"]


def names_of(value: Any) -> tuple[str, ...]:
    """One name or several, of which some may look like numbers.

    >>> names_of("age"), names_of(["age", 2019])
    (('age',), ('age', '2019'))
    """
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(one) for one in values)


def lenient(part: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the types that a part wants, where a lone value or a number can only mean that."""
    found = dict(options)
    for name, hint in hints_of(part).items():
        value = found.get(name)
        if value is None or isinstance(value, bool):
            continue
        if takes_many(hint):
            found[name] = names_of(value) if "str" in str(hint) else _listed(value)
        elif isinstance(value, (int, float)) and hint in (str, str | None):
            found[name] = str(value)
    return found


def check_options(kind: str, options: Mapping[str, Any], common: Callable[..., Any]) -> None:
    """Raises: TypeError: an option that neither the reader nor the data set knows."""
    parameters = [
        *inspect.signature(readers.get(kind)).parameters.values(),
        *inspect.signature(common).parameters.values(),
    ]
    known = [
        p.name for p in parameters if p.kind is p.KEYWORD_ONLY or p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    known = [name for name in known if name not in ("path", "data_dir", "fields")]
    known += ["conditions", "standardize", "log1p"]
    known += ["labels_per_class", "labels_seed", "labelled_share"]
    for name in options:
        if name not in known:
            near = did_you_mean(name, known) or "."
            raise TypeError(
                f"files of the kind {kind!r} have no option {name!r}{near} "
                f"Choices: {', '.join(known)}"
            )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
