"""``pyvae train``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.memory import keep_big_buffers
from pyvae.cli.run_arguments import add_fingerprint_argument, check_data
from pyvae.cli.say import note, tell
from pyvae.cli.settings import add_settings, given_settings
from pyvae.cli.show import table
from pyvae.config import TrainConfig
from pyvae.errors import UserError, optional

if TYPE_CHECKING:
    from pyvae.training import StopRequest, Trainer

__all__ = ["add_arguments", "run"]

_NEEDED = ("safetensors.torch", "lightning_fabric", "tensorboard", "matplotlib.image", "tqdm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command, one for each setting of a run among them."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of a whole published system, see pyvae list presets; options given beside "
        "it replace the preset's",
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
    for module in _NEEDED:  # now, and not when the run is half done
        optional(module)
    keep_big_buffers()
    from pyvae.training import Interrupted, StopRequest
    from pyvae.training.distributed.launch import NotLaunched, launch
    from pyvae.training.folder import writing

    try:
        trainer = _new(arguments, given) if arguments.resume is None else _resumed(arguments, given)
    except NotLaunched as wanted:
        return launch(wanted.config, arguments.command_line)
    try:
        if not arguments.quiet:
            for text in trainer.parts.notes:
                note(text)
        with StopRequest() as stop, writing(trainer.folder.path):
            return _train(trainer, stop)
    except Interrupted as stopped:
        tell(
            f"stopped after {stopped.step} steps; continue with: "
            f"pyvae train --resume {trainer.folder.quoted}"
        )
        return 128 + stopped.number
    finally:
        trainer.folder.release()


def _new(arguments: argparse.Namespace, given: dict[str, Any]) -> Trainer:
    """A run whose folder has just been made, and is locked."""
    from pyvae.training import RunFolder, Trainer, build
    from pyvae.training.claim import TakenError, free_names
    from pyvae.training.distributed.launch import check_launched
    from pyvae.training.distributed.ranks import first_process
    from pyvae.training.report import TILES

    config = _new_config(given, arguments.preset)
    check_launched(config)
    if arguments.out is None:
        names = free_names(str(Path("runs") / Path(config.dataset).stem))  # of a file, or a name
    else:
        names = iter([Path(arguments.out)])
    folder = RunFolder(next(names))
    if not first_process():  # which writes nothing
        return Trainer(config, build(config), folder, quiet=True)
    folder.check_new(arguments.overwrite)
    parts = build(config)
    trainer = Trainer(config, parts, folder, quiet=arguments.quiet)
    facts = {**_versions(), "data": parts.data}
    side = parts.view.data.test[:TILES].side(parts.model.side_inputs)
    while True:
        try:
            trainer.folder.create(
                config,
                parts.model,
                facts,
                state=trainer.state.capture(),
                side=side,
                overwrite=arguments.overwrite,
            )
        except TakenError:
            if arguments.out is not None:
                raise
            trainer.folder = RunFolder(next(names))  # another run was faster
        else:
            return trainer


def _resumed(arguments: argparse.Namespace, given: dict[str, Any]) -> Trainer:
    """A run that goes on from its checkpoint, with its folder locked."""
    from pyvae.training import RunFolder, Trainer, build
    from pyvae.training.distributed.launch import check_launched
    from pyvae.training.distributed.ranks import first_process
    from pyvae.training.loggers import read_rows

    if arguments.out is not None or arguments.overwrite or arguments.preset is not None:
        raise UserError(
            "--resume continues a run as it is; --out, --overwrite and --preset do not fit"
        )
    folder = RunFolder(arguments.resume)
    before = folder.config()
    config = before.resumed_with(given)
    check_launched(config)
    if not first_process():
        trainer = Trainer(config, build(config), folder, quiet=True)
        trainer.resume()
        return trainer
    folder.check_resumable()
    folder.lock()
    try:
        parts = build(config)
        check_data(folder, parts.data, ignore=arguments.ignore_fingerprints)
        trainer = Trainer(config, parts, folder, quiet=arguments.quiet)
        trainer.resume(verify=not arguments.ignore_fingerprints)
        results = folder.path / "results.json"
        if trainer.finished and results.is_file():
            early = trainer.step < trainer.total
            larger = "--early-stopping" if early else "--steps or --epochs"
            raise UserError(
                f"the run {folder.path} is complete ({trainer.step} steps); give a larger {larger} "
                f"to train it further, or draw its pictures with pyvae plot {folder.quoted}"
            )
        read_rows(folder.metrics)  # damaged ones are said before anything changes
        if config != before:
            folder.set_config(config, trainer.step)
        results.unlink(missing_ok=True)
    except BaseException:
        folder.release()
        raise
    return trainer


def _train(trainer: Trainer, stop: StopRequest) -> int:
    from pyvae.training.report import final_figures, pictures, results

    config, parts, folder = trainer.config, trainer.parts, trainer.folder
    trainer.fit(stop)
    trainer.ranks.leave()
    if not trainer.ranks.first:
        return 0
    tick = trainer.ticker(stop)
    figures = final_figures(config, trainer.outcome, parts.view, tick=tick)
    folder.write_json("results.json", results(config, figures, trainer.step))
    drawn, _ = pictures(folder, trainer.outcome, parts.view, config.seed, tick=tick)
    print(table(figures, parts.view.data.name))
    print(f"run folder: {folder.path} ({', '.join(drawn)})")
    return 0


def _new_config(given: dict[str, Any], preset: str | None) -> TrainConfig:
    if preset is not None:
        from pyvae.presets import with_preset
        from pyvae.training.build import said_plainly

        with said_plainly():
            given = with_preset(preset, given)
    config = TrainConfig.from_dict(given)
    if "latent_dim" not in given and (config.dataset, config.model) == ("digits", "vae"):
        return dataclasses.replace(config, latent_dim=2)  # a plane, which can be drawn
    return config


def _versions() -> dict[str, str]:
    import torch

    import pyvae

    return {"pyvae": pyvae.__version__, "torch": torch.__version__}
