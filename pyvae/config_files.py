"""Settings in a file, YAML or JSON, and settings laid over others.

The file has the names of the flags, with ``-`` or ``_``. Its YAML is that of version 1.2, in which
``1e-4`` is a number and ``no`` is text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyvae.config import PARTS, TrainConfig
from pyvae.errors import UserError, optional
from pyvae.hints import did_you_mean
from pyvae.settings import settings_of

__all__ = ["check_settings", "overlaid", "read_mapping", "read_settings", "yaml_text"]

Path_ = str | os.PathLike[str]

_PATTERNS = {  # YAML 1.2, chapter 10.3: the scalars that are no text, by the characters they begin
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over others, which stay where nothing lies over them.

    Options of a part are added to those below, unless another part is named: then the options
    below are dropped, which were made for the part before. Epochs replace steps, and vice versa.

    >>> below = {"encoder_args": {"hidden": [500]}, "prior": "vampprior", "epochs": 3}
    >>> overlaid(below, {"encoder_args": {"activation": "tanh"}, "steps": 10})
    {'encoder_args': {'hidden': [500], 'activation': 'tanh'}, 'prior': 'vampprior', 'steps': 10}
    """
    if above.keys() & {"epochs", "steps"}:
        below = {key: value for key, value in below.items() if key not in ("epochs", "steps")}
    settings = {**below, **above}
    for part in PARTS:
        options = f"{part}_args"
        before = below.get(part, _default(part))
        if settings.get(part, before) == before:
            both = {**below.get(options, {}), **above.get(options, {})}
            if options in settings:
                settings[options] = both
        else:
            settings[options] = dict(above.get(options, {}))
    return settings


def read_settings(path: Path_) -> dict[str, Any]:
    """The settings of a file, each of its type, and the ``preset`` where it names one.

    Raises:
        UserError: the file is missing or damaged, or a setting does not exist, stands there twice
            or has a value that makes no sense.
    """
    return check_settings(read_mapping(path), path)


def check_settings(
    found: Mapping[str, Any], path: Path_, more: Iterable[str] = ("preset",)
) -> dict[str, Any]:
    """What a file holds as settings by the names that they have in Python.

    Args:
        found: names, with ``-`` or ``_``, and values
        path: the file, for messages
        more: names that are allowed besides those of settings, whose values are taken as they are

    Raises:
        UserError: as :func:`read_settings`.
    """
    known, more = settings_of(TrainConfig), tuple(more)
    settings: dict[str, Any] = {}
    for key, value in found.items():
        name = str(key).replace("-", "_")
        if name not in known and name not in more:
            near = did_you_mean(name, [*known, *more])
            raise UserError(f"{path}: unknown setting {key!r}{near}")
        if name in settings:
            raise UserError(f"{path} has the setting {name} twice, as {name} and as {key}")
        try:
            settings[name] = known[name].check(name, value) if name in known else value
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    return settings


def read_mapping(path: Path_) -> dict[Any, Any]:
    """What stands in a file, YAML or (by its ending) JSON, at whose top are names with values.

    Raises:
        UserError: the file is missing or damaged, holds something else, or has a name twice.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UserError(f"cannot read the settings {path}: {reason}") from error
    form = "JSON" if path.suffix.lower() == ".json" else "YAML"
    try:
        found = _json(text) if form == "JSON" else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not {form} with settings: {error}") from error
    if not isinstance(found, dict):
        raise UserError(
            f"{path} must hold names of settings with their values, such as lr: 1e-3, got "
            f"{'nothing' if found is None else type(found).__name__}"
        )
    return found


def yaml_text(settings: Mapping[str, Any]) -> str:
    """Settings as YAML, one to a line, which :func:`read_mapping` reads as they are."""
    yaml: Any = optional("yaml")
    both = _resolvers()  # text that an older YAML takes for something else is quoted too
    for first, older in yaml.SafeDumper.yaml_implicit_resolvers.items():
        both[first] = both.get(first, []) + older
    dumper = type("Dumper", (yaml.SafeDumper,), {"yaml_implicit_resolvers": both})
    text: str = yaml.dump(
        dict(settings), Dumper=dumper, sort_keys=False, default_flow_style=None, width=100,
        allow_unicode=True,
    )  # fmt: skip
    return text


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValueError(f"{twice} stands there twice")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


def _yaml(text: str) -> Any:
    yaml: Any = optional("yaml")

    def once(loader: Any, node: Any, deep: bool = False) -> Any:
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in names:
                line = key.start_mark.line + 1
                raise ValueError(f"{key.value} stands there twice, again in line {line}")
            names |= {key.value} if isinstance(key.value, str) else set()
        return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)

    members = {"yaml_implicit_resolvers": _resolvers(), "construct_mapping": once}
    loader: Any = type("Loader", (yaml.SafeLoader,), members)
    loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(error) from error


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Which scalars are what: by their first character, (tag, pattern) in the order of trial."""
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, (pattern, begins) in _PATTERNS.items():
        for first in begins:
            whole = re.compile(f"^(?:{pattern})$")
            found.setdefault(first, []).append((f"tag:yaml.org,2002:{kind}", whole))
    return found


def _default(part: str) -> Any:
    return TrainConfig.__dataclass_fields__[part].default
