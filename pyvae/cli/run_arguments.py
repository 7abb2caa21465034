"""What the commands on an existing run share."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from pyvae.cli.settings import absolute_paths
from pyvae.config import parse_pairs

if TYPE_CHECKING:
    from pyvae.config import TrainConfig
    from pyvae.data import View
    from pyvae.models.base import Model
    from pyvae.training import RunFolder

__all__ = [
    "add_fingerprint_argument",
    "add_run_arguments",
    "nonnegative",
    "open_model",
    "open_run",
    "other_data",
    "positive",
]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where its data and its model are to be."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("--dataset", metavar="NAME", help="other data than the run's")
    parser.add_argument(
        "--dataset-args", nargs="+", metavar="NAME=VALUE", help="options of the data set"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data files")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    add_fingerprint_argument(parser)


def add_fingerprint_argument(parser: argparse.ArgumentParser) -> None:
    """A way on for who knows better."""
    parser.add_argument(
        "--ignore-fingerprints",
        action="store_true",
        help="go on although data or weights are not those that the run recorded",
    )


def open_model(arguments: argparse.Namespace) -> tuple[RunFolder, Model]:
    """Folder and model of a run, without its data.

    Raises:
        UserError: there is no such run, it is cut short, or nothing has been trained yet.
    """
    from pyvae.training import RunFolder
    from pyvae.training.evaluation import default_device

    folder = RunFolder(arguments.run)
    verify = not vars(arguments).get("ignore_fingerprints", False)
    return folder, folder.model(default_device(arguments.device), verify=verify)


def open_run(arguments: argparse.Namespace) -> tuple[TrainConfig, Model, View]:
    """Settings, model and data of a run.

    Raises:
        UserError: there is no such run, it is cut short, the data do not fit, or they are not those
            that the run was trained on.
    """
    from pyvae.training import build_data, build_view
    from pyvae.training.describe import check_data, describe
    from pyvae.training.evaluation import check_shape

    folder, model = open_model(arguments)
    config, given = folder.config(), vars(arguments)
    others: dict[str, Any] = {}
    if given.get("dataset") is not None and given["dataset"] != config.dataset:
        others = {"dataset": given["dataset"], "dataset_args": {}}
    if given.get("dataset_args"):
        options = parse_pairs(given["dataset_args"], "--dataset-args")
        kept = {} if others else config.dataset_args
        others["dataset_args"] = {**kept, **options}
    where = {} if given.get("data_dir") is None else {"data_dir": given["data_dir"]}
    config = dataclasses.replace(config, **absolute_paths({**others, **where}))
    known = folder.record().get("data")
    conditional = isinstance(known, dict) and "conditions" in known
    data = build_data(config, folder.conditions() if conditional else None)
    check_shape(model, data.data_shape, config.dataset)
    view = build_view(config, data, model.likelihood)
    if not others and not given.get("ignore_fingerprints", False):
        check_data(folder.path, folder.record().get("data"), describe(data, view))
    return config, model, view.to(next(model.parameters()).device)


def other_data(arguments: argparse.Namespace) -> bool:
    """Whether data were named on the command line."""
    given = vars(arguments)
    return any(given.get(name) is not None for name in ("dataset", "dataset_args", "data_dir"))


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def nonnegative(text: str) -> int:
    """A whole number that is not below zero, and fits 64 bits, for argparse."""
    value = _whole(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 2^63, got {text}")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from error
