"""``pyvae train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.memory import keep_big_buffers
from pyvae.cli.run_arguments import add_fingerprint_argument
from pyvae.cli.say import note, tell
from pyvae.cli.settings import absolute_paths, add_settings, given_settings
from pyvae.cli.show import table
from pyvae.errors import UserError, optional

if TYPE_CHECKING:
    from pyvae.training import Trainer

__all__ = ["NEEDED", "add_arguments", "run"]

NEEDED = (
    "safetensors.torch",
    "lightning_fabric",
    "tensorboard",
    "matplotlib.image",
    "tqdm",
    "yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command, one for each setting of a run among them."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of a whole published system, see pyvae list presets; those of --config and "
        "options given beside it replace the preset's",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings from a YAML or JSON file, such as the config.yaml of a run; options given "
        "beside it replace the file's",
    )
    parser.add_argument("--out", metavar="DIR", help="run folder (default: runs/DATASET)")
    parser.add_argument("--resume", metavar="DIR", help="continue this run")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no notes")
    add_fingerprint_argument(parser)
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    given = given_settings(arguments)
    for module in NEEDED:  # now, and not when the run is half done
        optional(module)
    keep_big_buffers()
    from pyvae.training.distributed.launch import LOST, NotLaunched, launch, watched
    from pyvae.training.distributed.ranks import LostRankError

    try:
        return _train(arguments, given)
    except NotLaunched as wanted:
        return launch(wanted.config, arguments.command_line)
    except LostRankError as error:
        if not watched():
            raise
        tell(f"error: {error}")
        return LOST


def _train(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    from pyvae.fitting.runs import finish
    from pyvae.training import Interrupted, StopRequest
    from pyvae.training.folder import writing

    trainer = _new(arguments, given) if arguments.resume is None else _resumed(arguments, given)
    folder = trainer.folder
    try:
        if not arguments.quiet:
            for text in trainer.parts.notes:
                note(text)
        with StopRequest() as stop, writing(folder.path):
            found = finish(trainer, stop)
        if found is not None:
            figures, drawn = found
            print(table(figures, trainer.parts.view.data.name))
            print(f"run folder: {folder.path} ({', '.join(drawn)})")
        return 0
    except Interrupted as stopped:
        tell(
            f"stopped after {stopped.step} steps; continue with: "
            f"pyvae train --resume {folder.quoted}"
        )
        return 128 + stopped.number
    finally:
        folder.release()


def _new(arguments: argparse.Namespace, given: dict[str, Any]) -> Trainer:
    from pyvae.config_files import read_settings
    from pyvae.fitting.runs import layered_config, start
    from pyvae.training.claim import free_names

    file = {} if arguments.config is None else absolute_paths(read_settings(arguments.config))
    config = layered_config(file, given, preset=arguments.preset)
    if arguments.out is None:
        names = free_names(str(Path("runs") / Path(config.dataset).stem))  # of a file, or a name
    else:
        names = iter([Path(arguments.out)])
    return start(config, names, overwrite=arguments.overwrite, quiet=arguments.quiet)


def _resumed(arguments: argparse.Namespace, given: dict[str, Any]) -> Trainer:
    from pyvae.fitting.runs import resume
    from pyvae.training import RunFolder

    others = (arguments.out, arguments.preset, arguments.config)
    if arguments.overwrite or any(other is not None for other in others):
        raise UserError(
            "--resume continues a run as it is; --out, --overwrite, --preset and --config do not "
            "fit"
        )
    folder, check = RunFolder(arguments.resume), not arguments.ignore_fingerprints
    return resume(folder, given, check=check, quiet=arguments.quiet)
