"""``pyvae train``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from pyvae.cli.memory import keep_big_buffers
from pyvae.cli.show import table
from pyvae.config import PARTS, TrainConfig, parse_pairs
from pyvae.errors import RunError, UserError, optional
from pyvae.networks import INITS

__all__ = ["add_arguments", "run"]

_NEEDED = ("safetensors.torch", "lightning_fabric", "tensorboard", "matplotlib.image", "tqdm")
_DEFAULTS = {f.name: f.default for f in dataclasses.fields(TrainConfig)}

_HELP = {
    "dataset": "what to train on: see pyvae list, or the path of an HDF5 file",
    "data_dir": "folder of local data files and downloads (default: $PYVAE_DATA_DIR or a cache)",
    "binarize": "draw zeros and ones from grey levels, at each minibatch or once (default: dynamic "
    "for the bernoulli likelihood, none for others)",
    "latent_dim": "number of latents (default: 2 for digits, else 20)",
    "init": "how weights of linear and convolutional layers start: as torch makes them, uniform by "
    "Glorot and Bengio, or normal (default: torch)",
    "init_std": "standard deviation of --init normal",
    "init_output": "start the decoder's output at the mean of the data",
    "epochs": "passes over the training data (default: 100)",
    "steps": "training steps, instead of epochs",
    "batch_size": "data per step",
    "optimizer": "adam, adamw, adagrad, rmsprop or sgd",
    "lr": "learning rate",
    "lr_milestones": "epochs at which the learning rate is multiplied by --lr-gamma",
    "lr_gamma": "see --lr-milestones",
    "seed": "of the initial weights, the order, the noise",
    "eval_every": "steps between evaluations, which then include log p(x) (default: the bound "
    "alone, after each epoch)",
    "eval_samples": "importance samples for log p(x); 0: none",
    "eval_subset": "random rows to evaluate on in between; 0: all. The final figures are always "
    "those of all test data",
    "eval_split": "what to evaluate on in between",
    "log_every": "steps between two records",
    "device": "auto, cpu or cuda",
    "precision": "of the arithmetic",
}
_CHOICES = {
    "binarize": ("auto", "dynamic", "fixed", "none"),
    "init": INITS,
    "eval_split": ("valid", "test"),
    "precision": ("32-true", "64-true", "bf16-mixed"),
}
_INTEGERS = {"epochs", "steps", "eval_every"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each setting. An option that is not given leaves no trace."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of a whole system; see pyvae list presets. What is given besides counts",
    )
    parser.add_argument("--out", metavar="DIR", help="run folder (default: runs/DATASET)")
    parser.add_argument("--resume", metavar="DIR", help="continue this run")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for name, default in _DEFAULTS.items():
        flag = "--" + name.replace("_", "-")
        more: dict[str, Any] = {"default": argparse.SUPPRESS}
        told = _HELP.get(name, f"the {name}; see pyvae list")
        if name.endswith("_args"):
            more |= {"nargs": "+", "metavar": "NAME=VALUE"}
            told = f"options of the {name.removesuffix('_args')}: hidden=256,256 activation=relu"
        elif isinstance(default, bool):
            more["action"] = "store_true"
        elif name == "lr_milestones":
            more |= {"nargs": "+", "type": int, "metavar": "EPOCH"}
        else:
            kind = int if name in _INTEGERS or isinstance(default, int) else type(default)
            more |= {"type": str if default is None and name not in _INTEGERS else kind}
            more |= {"choices": _CHOICES.get(name)}
            more |= {} if name in _CHOICES else {"metavar": "NAME" if name in PARTS else "X"}
            if "default" not in told and default is not None:
                told += f" (default: {default})"
        parser.add_argument(flag, help=told, **more)


def run(arguments: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    given = {name: getattr(arguments, name) for name in _DEFAULTS if hasattr(arguments, name)}
    for name in given:
        if name.endswith("_args"):
            given[name] = parse_pairs(given[name], "--" + name.replace("_", "-"))
    if "lr_milestones" in given:
        given["lr_milestones"] = tuple(given["lr_milestones"])

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
    dataset, model = (given.get(name, _DEFAULTS[name]) for name in ("dataset", "model"))
    if (dataset, model) == ("digits", "vae"):
        given = {"latent_dim": 2, **given}  # small enough to be seen whole, as a manifold
    return TrainConfig.from_dict(given)


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
