"""``pyvae rate-distortion``."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from pyvae.cli import train
from pyvae.cli.compare import run_results
from pyvae.cli.say import note
from pyvae.cli.settings import add_settings
from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.settings import flag, settings_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command, with those of training."""
    parser.add_argument("runs", nargs="*", metavar="RUN", help="trained runs to collect")
    parser.add_argument(
        "--betas",
        nargs="+",
        type=float,
        metavar="BETA",
        help="train a run for each of these weights of the KL; one that is there already is kept, "
        "or continued",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder of the runs, rate_distortion.png and rate_distortion.json",
    )
    parser.add_argument("--preset", metavar="NAME", help="as for pyvae train")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no notes")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Rate and distortion on the test data, for one beta after the other (Alemi et al. 2018)."""
    folder = _checked(arguments)
    runs = [Path(path) for path in arguments.runs]
    for beta in arguments.betas or ():
        runs.append(folder / f"beta-{beta:g}")
        with contextlib.redirect_stdout(sys.stderr if arguments.json else sys.stdout):
            code = _train(arguments, beta, runs[-1])
        if code:
            return code
    rows = sorted((_row(path) for path in runs), key=lambda row: float(row["rate"]))
    _write(folder, rows)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'beta':>8}  {'rate':>8}  {'distortion':>10}  {'ELBO':>9}  run")
        for row in rows:
            figures = f"{row['rate']:8.2f}  {row['distortion']:10.2f}  {row['elbo']:9.2f}"
            print(f"{row['beta']:8g}  {figures}  {row['run']}")
        print(folder / "rate_distortion.png")
    return 0


def _checked(arguments: argparse.Namespace) -> Path:
    """The folder, which is there.

    Raises:
        UserError: neither runs nor betas, or both; no place for the folder; or processes that it
            cannot start.
    """
    if bool(arguments.runs) == bool(arguments.betas):
        raise UserError("rate-distortion: give --betas to train with, or the runs to collect")
    _check_processes(arguments)
    folder = Path(arguments.out)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"cannot write {folder}: it is no folder")
    return folder


def _check_processes(arguments: argparse.Namespace) -> None:
    """Raises: UserError: processes on several machines, or that something else has started."""
    from pyvae.training.distributed.ranks import started_by_others

    devices, machines = (getattr(arguments, name, 1) for name in ("devices", "num_nodes"))
    if machines > 1 or (devices > 1 and started_by_others()):
        raise UserError(
            "rate-distortion starts the processes of each run itself, on one machine: call it "
            f"once, without torchrun, srun and --num-nodes, got --devices {devices} --num-nodes "
            f"{machines}"
        )


def _train(arguments: argparse.Namespace, beta: float, out: Path) -> int:
    """Train the run of a beta, as far as it has not been trained yet."""
    if (out / "results.json").is_file():
        note(f"{out} is there already, and kept")
        return 0
    words = ["--quiet"] if arguments.quiet else []
    if (out / "train.json").is_file():
        words.append(f"--resume={out}")
    else:
        words += [] if arguments.preset is None else [f"--preset={arguments.preset}"]
        words += [f"--out={out}", *_settings(arguments, beta)]
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    given = parser.parse_args(words)
    given.command_line = ["train", *words]  # which other processes of the run are started with
    return train.run(given)


def _settings(arguments: argparse.Namespace, beta: float) -> list[str]:
    """The settings that were given, and beta, as words of a command line."""
    chosen = {n: v for n, v in vars(arguments).items() if n in settings_of(TrainConfig)}
    chosen["objective_args"] = [*chosen.get("objective_args", []), f"beta={beta!r}"]
    words = []
    for name, value in chosen.items():
        if value is True:
            words.append(flag(name))
        elif isinstance(value, list):
            words += [flag(name), *map(str, value)]
        else:
            words.append(f"{flag(name)}={value}")
    return words


def _row(path: Path) -> dict[str, Any]:
    """Beta, rate, distortion and bound of a run.

    Raises:
        UserError: it has not been trained to its end.
    """
    from pyvae.training import RunFolder

    found = run_results(RunFolder(path))
    results, options = found["results"], found["settings"]["objective_args"]
    if not {"rate", "distortion", "elbo"} <= results.keys():
        raise UserError(f"{path} has no final figures: train it to its end")
    figures = {name: results[name] for name in ("rate", "distortion", "elbo")}
    return {"run": str(path), "beta": float(options.get("beta", 1)), **figures}


def _write(folder: Path, rows: list[dict[str, Any]]) -> None:
    from pyvae import plots
    from pyvae.storage import write_whole
    from pyvae.training.folder import writing

    betas = [row["beta"] for row in rows]
    names = [f"{row['beta']:g}" if betas.count(row["beta"]) == 1 else row["run"] for row in rows]
    points = {n: (row["rate"], row["distortion"]) for n, row in zip(names, rows, strict=True)}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "rate_distortion.json", (json.dumps(rows, indent=2) + "\n").encode())
        plots.rate_distortion(folder / "rate_distortion.png", points)
