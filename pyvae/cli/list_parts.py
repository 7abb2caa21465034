"""``pyvae list``."""

from __future__ import annotations

import argparse
import inspect
import sys
import warnings
from typing import Any

from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "kind", nargs="?", metavar="KIND", help="encoders, priors, ... (default: all)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every part with the first sentence of its documentation; plugins are marked."""
    import pyvae.data  # registers the data sets
    import pyvae.presets  # noqa: F401
    from pyvae.registry import registries

    if arguments.kind is not None and arguments.kind not in registries:
        raise UserError(f"unknown kind {arguments.kind!r}. Choices: {', '.join(registries)}")
    for kind, registry in registries.items():
        if arguments.kind not in (None, kind):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken plugins are told below
            names = registry.names()
        print(kind)
        for name in names:
            plugin = f" [plugin of {registry.origin(name)}]" if registry.is_plugin(name) else ""
            print(f"  {name:<20} {_summary(registry.get(name))}{plugin}")
        for reason in registry.broken.values():
            print(f"pyvae: warning: {reason}", file=sys.stderr)
    return 0


def _summary(part: Any) -> str:
    return (inspect.getdoc(part) or "").partition("\n")[0]
