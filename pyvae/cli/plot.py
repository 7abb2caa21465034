"""``pyvae plot``."""

from __future__ import annotations

import argparse

from pyvae.cli.run_arguments import add_run_arguments, open_model, open_run
from pyvae.cli.say import note
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw all pictures of a run again, from what is there."""
    from pyvae.training.folder import writing
    from pyvae.training.report import pictures

    folder, model = open_model(arguments)
    view, problem = None, ""
    try:
        _, model, view = open_run(arguments)
    except UserError as error:  # the pictures that need no data are drawn
        problem = f"reconstructions.png: {error}"
    with writing(folder.path):
        drawn, missing = pictures(folder, model, view, folder.config().seed)
    for reason in [*missing, *([problem] if problem else [])]:
        note(f"not drawn: {reason}")
    for name in drawn:
        print(folder.path / name)
    return 0
