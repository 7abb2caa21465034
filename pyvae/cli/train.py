"""``pyvae train``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from pyvae.cli.memory import keep_big_buffers
from pyvae.cli.settings import add_settings, given_settings
from pyvae.cli.show import table
from pyvae.config import TrainConfig
from pyvae.errors import RunError, UserError, optional

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
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    given = given_settings(arguments)
    for module in _NEEDED:  # now, and not when the run is half done
        optional(module)
    keep_big_buffers()
    from pyvae.training import Interrupted, RunFolder, StopRequest, Trainer, build
    from pyvae.training.folder import free_name
    from pyvae.training.report import final_figures, pictures, results

    if arguments.resume is not None:
        if arguments.out is not None or arguments.overwrite or arguments.preset is not None:
            raise UserError(
                "--resume continues a run as it is; --out, --overwrite and --preset do not fit"
            )
        folder = RunFolder(arguments.resume)
        before = folder.config()
        config = before.resumed_with(given)
        parts = build(config)
        _check_unfinished(folder, config, parts)
    else:
        config = _new_config(given, arguments.preset)
        name = Path(config.dataset).stem  # of a file, or the data set's own
        folder = RunFolder(arguments.out or free_name(str(Path("runs") / name)))
        folder.check_new(arguments.overwrite)
        parts = build(config)
        before = config
        folder.create(config, parts.model, _versions())
    with StopRequest() as stop:
        try:
            trainer = Trainer(config, parts, folder, quiet=arguments.quiet)
            if config != before:
                folder.set_config(config)
            (folder.path / "results.json").unlink(missing_ok=True)  # of a run that goes on
            trainer.fit(stop)
            figures = final_figures(
                config, parts.model, parts.view, tick=lambda: trainer.check(stop)
            )
            folder.write_json("results.json", results(config, figures, trainer.step))
            drawn = pictures(folder, parts.model, parts.view, config.seed)
        except Interrupted as stopped:
            print(
                f"pyvae: stopped after {stopped.step} steps; continue with: "
                f"pyvae train --resume {folder.path}",
                file=sys.stderr,
            )
            return 128 + stopped.number
        except OSError as error:
            raise RunError(f"cannot write the run folder {folder.path}: {error}") from error
    print(table(figures, config.dataset))
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


def _check_unfinished(folder: Any, config: TrainConfig, parts: Any) -> None:
    from pyvae.data import Batches
    from pyvae.training import checkpoint

    if not (folder.path / "results.json").is_file() or not folder.checkpoint.is_file():
        return
    step = checkpoint.load(folder.checkpoint)[1]["step"]
    per_epoch = Batches(parts.view.data.train, config.batch_size, 0).steps_per_epoch
    if step >= config.total_steps(per_epoch):
        raise UserError(
            f"the run {folder.path} is complete ({step} steps); "
            f"give a larger --steps or --epochs to train it further"
        )


def _versions() -> dict[str, str]:
    import torch

    import pyvae

    return {"pyvae": pyvae.__version__, "torch": torch.__version__}
