"""``pyvae plot``."""

from __future__ import annotations

import argparse

from pyvae.cli.latents.plots import add_picture_arguments, latent_pictures
from pyvae.cli.run_arguments import add_run_arguments, open_model, open_run
from pyvae.cli.say import note
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    add_picture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw all pictures of a run again, from what is there, or those that were asked for."""
    from pyvae.training.folder import writing
    from pyvae.training.report import pictures

    folder, model = open_model(arguments)
    if arguments.latents or arguments.kl or arguments.factors:
        _, model, data = open_run(arguments)
        with writing(folder.path):
            drawn = latent_pictures(arguments, model, data)
        for name in drawn:
            print(folder.path / name)
        return 0
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
