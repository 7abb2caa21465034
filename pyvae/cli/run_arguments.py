"""What the commands on an existing run share."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.pairs import parse_pairs
from pyvae.cli.settings import absolute_paths

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


#: Options of data sets that say where the rows are, for what, and which of them have labels.
_PLACES = (
    *("path", "reader", "valid", "test", "splits", "name", "conditions"),
    *("labels_per_class", "labels_seed", "labelled_share"),
)
#: What says how numbers are taken: of any data set, and of any file.
_OF_ANY, _OF_FILES = ("log1p", "standardize"), ("values", "levels", "channels", "shape")


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
        others = {"dataset": given["dataset"], "dataset_args": _kept(config, given["dataset"])}
    if given.get("dataset_args"):
        options = parse_pairs(given["dataset_args"], "--dataset-args")
        others["dataset_args"] = {**others.get("dataset_args", config.dataset_args), **options}
    where = {} if given.get("data_dir") is None else {"data_dir": given["data_dir"]}
    config = dataclasses.replace(config, **absolute_paths({**others, **where}))
    data = build_data(config, folder.encoding() if others else None)
    check_shape(model, data.data_shape, config.dataset)
    view = build_view(config, data, model.likelihood)
    if not others and not given.get("ignore_fingerprints", False):
        check_data(folder.path, folder.record().get("data"), describe(data, view))
    return config, model, view.to(next(model.parameters()).device)


def _kept(config: TrainConfig, other: str) -> dict[str, Any]:
    """The options of a run's data that say what numbers mean, and go for other data as well.

    They do not say where the data are and for what; those of a reader go for files of its kind.
    """
    from pyvae.data import is_path
    from pyvae.data.readers import parts_of, reader_of

    options = {n: value for n, value in config.dataset_args.items() if n not in _PLACES}
    name = config.dataset_args.get("path", "") if config.dataset == "file" else config.dataset
    if not (is_path(name) and is_path(other)):
        return {n: value for n, value in options.items() if n in _OF_ANY}
    paths = [parts_of(Path(one).expanduser())["train"] for one in (name, other)]
    alike = all(path.exists() for path in paths) and len(set(map(reader_of, paths))) == 1
    return options if alike else {n: v for n, v in options.items() if n in (*_OF_ANY, *_OF_FILES)}


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
