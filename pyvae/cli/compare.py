"""``pyvae compare``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.say import note
from pyvae.cli.targets import checked, said_unwritable
from pyvae.errors import RunError, UserError

if TYPE_CHECKING:
    from pyvae.training import RunFolder

__all__ = ["add_arguments", "run", "run_results"]

#: Figures of ``results.json`` that are shown, with what they are called.
FIGURES = {
    "step": "steps",
    "log_likelihood": "log p(x)",
    "log_likelihood_error": "its standard error",
    "elbo": "ELBO",
    "rate": "rate",
    "distortion": "distortion",
    "bits_per_dim": "bits per dimension",
    "active_units": "active units",
    "mutual_information": "mutual information",
    "total_correlation": "total correlation",
}
#: Settings that say where a run was made, and not what it is.
_PLACES = ("data_dir", "device", "log_every")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--out", metavar="FILE.png", help="also draw the held-out bounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """What differs between runs, and their final figures, side by side."""
    target = None if arguments.out is None else checked(arguments.out, (".png",))
    from pyvae.training import RunFolder

    folders = {name: RunFolder(name) for name in _distinct(arguments.runs)}
    columns = {name: run_results(folder) for name, folder in folders.items()}
    data = {(c["settings"]["dataset"], c["results"].get("split")) for c in columns.values()}
    if len(data) > 1:
        note("the runs are of different data, so that their figures do not compare")
    if arguments.json:
        print(json.dumps(columns, indent=2))
    else:
        print(_table(columns))
    if target is not None:
        _draw(target, folders)
        print(target)
    return 0


def _distinct(paths: list[str]) -> list[str]:
    """Raises: UserError: a run was named twice."""
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise UserError(f"compare: the run {twice} was named twice")
    return paths


def run_results(folder: RunFolder) -> dict[str, Any]:
    """Settings and figures of a run; no figures where it has not come to its end."""
    settings, file = folder.config().to_dict(), folder.path / "results.json"
    if not file.is_file():
        note(f"{folder.path} has not been trained to its end yet")
        return {"settings": settings, "results": {}}
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(results, dict):
            raise ValueError("it holds no figures")
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{file} is cut short or damaged: {error}") from error
    return {"settings": settings, "results": results}


def _table(columns: dict[str, dict[str, Any]]) -> str:
    """A row for each setting that differs, and for each figure that any run has."""
    rows = [["", *columns]]
    settings = [column["settings"] for column in columns.values()]
    for name in settings[0]:
        values = [one.get(name) for one in settings]
        if name not in _PLACES and any(value != values[0] for value in values):
            rows.append([name.replace("_", " "), *map(_said, values)])
    for name, words in FIGURES.items():
        values = [column["results"].get(name) for column in columns.values()]
        if any(value is not None for value in values):
            rows.append([words, *map(_said, values)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _said(value: Any) -> str:
    """A setting or a figure in a few letters."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10 else f"{value:.2f}"
    if isinstance(value, dict):
        return " ".join(f"{name}={_said(one)}" for name, one in value.items()) or "-"
    if isinstance(value, list):
        return ",".join(map(_said, value))
    return "-" if value is None else str(value)


def _draw(target: Path, folders: dict[str, RunFolder]) -> None:
    from pyvae import plots
    from pyvae.training.loggers import read_rows

    metrics = {}
    for name, folder in folders.items():
        if folder.metrics.is_file():
            read_rows(folder.metrics)
            metrics[name] = folder.metrics
        else:
            note(f"not drawn: {folder.path} has no {folder.metrics.name}")
    try:
        with said_unwritable(target):
            plots.curves(target, metrics)
    except (ValueError, LookupError, TypeError) as error:
        raise RunError(f"the metrics of a run are damaged: {error}") from error
