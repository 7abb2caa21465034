"""Options of a command that come from a dataclass of settings."""

from __future__ import annotations

import argparse
import types
import typing
from pathlib import Path
from typing import Any

from pyvae.cli.pairs import parse_pairs
from pyvae.config import PARTS, TrainConfig
from pyvae.settings import Setting, flag, settings_of

__all__ = ["absolute_paths", "add_settings", "given_settings"]


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each setting of a run. An option that is not given leaves no trace."""
    defaults = TrainConfig()
    for name, known in settings_of(TrainConfig).items():
        parser.add_argument(
            flag(name),
            default=argparse.SUPPRESS,
            help=_told(name, known, getattr(defaults, name)),
            **_form(known),
        )


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line; paths of data are absolute.

    Raises:
        UserError: options of a part that are no pairs.
    """
    names = settings_of(TrainConfig)
    given = {name: value for name, value in vars(arguments).items() if name in names}
    for name in given:
        if name.endswith("_args"):
            given[name] = parse_pairs(given[name], flag(name))
    return absolute_paths(given)


def absolute_paths(given: dict[str, Any]) -> dict[str, Any]:
    """The same settings, with data that are files or folders found from everywhere."""
    found = dict(given)
    if found.get("data_dir") is not None:
        found["data_dir"] = str(Path(found["data_dir"]).expanduser().absolute())
    if "dataset" in found:
        from pyvae.data import is_path

        if is_path(found["dataset"]):
            found["dataset"] = _absolute(found["dataset"])
    if isinstance(found.get("dataset_args"), dict):
        paths = ("path", "valid", "test", "mask")
        options = found["dataset_args"].items()
        found["dataset_args"] = {n: _absolute(v) if n in paths else v for n, v in options}
    return found


def _absolute(value: Any) -> Any:
    """A file that exists by its absolute path; a name as it is."""
    if not isinstance(value, str):
        return value
    path = Path(value).expanduser()
    return str(path.absolute()) if path.exists() else value


def _form(known: Setting) -> dict[str, Any]:
    """How argparse reads it."""
    hint = known.hint
    if typing.get_origin(hint) is types.UnionType:  # X | None
        hint = typing.get_args(hint)[0]
    if hint is bool:
        return {"action": "store_true"}
    if typing.get_origin(hint) is dict:
        return {"nargs": "+", "metavar": known.metavar}
    if typing.get_origin(hint) is tuple:
        form = {"nargs": "+", "type": typing.get_args(hint)[0], "choices": known.choices}
        return form if known.choices else {**form, "metavar": known.metavar}
    if known.choices:
        return {"type": known.meant if known.spellings else hint, "choices": known.choices}
    return {"type": hint, "metavar": known.metavar or "X"}


def _told(name: str, known: Setting, default: Any) -> str:
    told = known.help
    if name in PARTS and told.startswith("see "):
        told = f"the {name}; {told}"
    elif name.endswith("_args"):
        told = f"options of the {name.removesuffix('_args')}, {told}"
    unsaid = "default" not in told and isinstance(default, (str, int, float))
    return f"{told} (default: {default})" if unsaid and default is not False else told
