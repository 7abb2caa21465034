"""Runs in folders: from settings to a trainer whose folder is locked, and to what it ends with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from pyvae.config import TrainConfig
from pyvae.config_files import overlaid
from pyvae.errors import UserError, optional
from pyvae.metrics import Evaluation
from pyvae.presets import with_preset
from pyvae.training import RunFolder, StopRequest, Trainer, build
from pyvae.training.claim import TakenError
from pyvae.training.describe import check_data
from pyvae.training.distributed.launch import check_launched
from pyvae.training.distributed.ranks import first_process
from pyvae.training.join import said_plainly
from pyvae.training.loggers import read_rows
from pyvae.training.report import TILES, final_figures, pictures, results

__all__ = ["finish", "layered_config", "resume", "start", "versions"]


def layered_config(*layers: Mapping[str, Any], preset: str | None = None) -> TrainConfig:
    """The settings of a run, each layer over the one before and all of them over a preset.

    Args:
        layers: settings by name; ``preset`` among them names one too, and the last one counts
        preset: the name of a preset that counts more than those of the layers

    Raises:
        UserError: a setting, or a preset, that does not exist, or a value that makes no sense.
    """
    given: dict[str, Any] = {}
    for layer in layers:
        given = overlaid(given, layer)
    named = given.pop("preset", None)
    preset = named if preset is None else preset
    if preset is not None:
        with said_plainly():
            given = with_preset(str(preset), given)
    config = TrainConfig.from_dict(given)
    if "latent_dim" not in given and (config.dataset, config.model) == ("digits", "vae"):
        return dataclasses.replace(config, latent_dim=2)  # a plane, which can be drawn
    return config


def start(
    config: TrainConfig, paths: Iterable[Path], *, overwrite: bool = False, quiet: bool = False
) -> Trainer:
    """A run whose folder has just been made, and is locked.

    Args:
        config: its settings
        paths: where it is to be; the next one is taken if another run was faster
        overwrite: take the place of a run that is there
        quiet: show no progress

    Raises:
        NotLaunched: the run wants several processes, and nobody has started them.
        UserError: whatever in the settings does not exist or fit, or the folder cannot be made.
    """
    check_launched(config)
    for name in config.log:  # now, and not when the run has begun
        optional(name, name)
    names = iter(paths)
    folder = RunFolder(next(names))
    if not first_process(config):  # which writes nothing
        trainer = Trainer(config, build(config), folder, quiet=True)
        trainer.save()
        return trainer
    folder.check_new(overwrite)
    parts = build(config)
    if parts.data["streaming"]:  # whatever memory is free when the run is resumed
        config = dataclasses.replace(
            config, dataset_args={**config.dataset_args, "streaming": True}
        )
    trainer = Trainer(config, parts, folder, quiet=quiet)
    facts = {**versions(), "data": parts.data}
    side = parts.view.data.test[:TILES].side(parts.model.side_inputs)
    state = trainer.state.capture()
    while True:
        try:
            folder.create(config, parts.model, facts, state=state, side=side, overwrite=overwrite)
        except TakenError:
            other = next(names, None)
            if other is None:
                raise
            trainer.folder = folder = RunFolder(other)
        else:
            return trainer


def resume(
    folder: RunFolder, given: Mapping[str, Any], *, check: bool = True, quiet: bool = False
) -> Trainer:
    """A run that goes on from its checkpoint, with its folder locked.

    Args:
        folder: of the run
        given: settings that a resumed run may change
        check: compare data and weights with those that were recorded
        quiet: show no progress

    Raises:
        NotLaunched: the run wants several processes, and nobody has started them.
        UserError: the run is complete, is being written, or cannot go on with these settings.
    """
    before = folder.config()
    config = before.resumed_with(given)
    check_launched(config)
    if not first_process(config):
        trainer = Trainer(config, build(config), folder, quiet=True)
        trainer.resume()
        return trainer
    folder.check_resumable()
    folder.lock()
    try:
        parts = build(config)
        if check:
            check_data(folder.path, folder.record().get("data"), parts.data)
        trainer = Trainer(config, parts, folder, quiet=quiet)
        trainer.resume(verify=check)
        final = folder.path / "results.json"
        if trainer.finished and final.is_file():
            early = trainer.step < trainer.total
            larger = "--early-stopping" if early else "--steps or --epochs"
            raise UserError(
                f"the run {folder.path} is complete ({trainer.step} steps); give a larger {larger} "
                f"to train it further, or draw its pictures with pyvae plot {folder.quoted}"
            )
        read_rows(folder.metrics)  # damaged ones are said before anything changes
        if config != before:
            folder.set_config(config, trainer.step)
        final.unlink(missing_ok=True)
    except BaseException:
        folder.release()
        raise
    return trainer


def finish(trainer: Trainer, stop: StopRequest) -> tuple[Evaluation, list[str]] | None:
    """Train to the end; final figures and pictures are in the folder then.

    Returns:
        The figures of the test split, and the names of the pictures; None in all processes of a
        run but the first.

    Raises:
        Interrupted: a stop was requested; the state is saved.
        UserError: training has diverged.
    """
    config, parts, folder = trainer.config, trainer.parts, trainer.folder
    trainer.fit(stop)
    trainer.leave()
    if not trainer.ranks.first:
        return None
    tick = trainer.ticker(stop)
    figures = final_figures(config, trainer.outcome, parts.view, tick, quiet=trainer.quiet)
    folder.write_json("results.json", results(config, figures, trainer.step))
    drawn, _ = pictures(folder, trainer.outcome, parts.view, config.seed, tick=tick)
    return figures, drawn


def versions() -> dict[str, str]:
    """What made a run, for ``train.json``."""
    import pyvae

    return {"pyvae": pyvae.__version__, "torch": torch.__version__}
