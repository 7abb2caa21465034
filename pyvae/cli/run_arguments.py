"""What the commands on an existing run share."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvae.config import TrainConfig
    from pyvae.data import View
    from pyvae.models.base import Model

__all__ = ["add_run_arguments", "nonnegative", "open_run", "positive"]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where its data and its model are to be."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("--dataset", metavar="NAME", help="other data than the run's")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data files")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")


def open_run(arguments: argparse.Namespace) -> tuple[TrainConfig, Model, View]:
    """Settings, model and data of a run.

    Raises:
        UserError: there is no such run, it is cut short, or the data do not fit.
    """
    from pyvae.training import RunFolder, build_data, build_view
    from pyvae.training.evaluation import check_shape, default_device

    folder = RunFolder(arguments.run)
    config = folder.config()
    device = default_device(arguments.device)
    model = folder.model(device)
    changes: dict[str, Any] = {}
    if arguments.data_dir is not None:
        changes["data_dir"] = arguments.data_dir
    if arguments.dataset is not None and arguments.dataset != config.dataset:
        changes |= {"dataset": arguments.dataset, "dataset_args": {}}
    config = dataclasses.replace(config, **changes)
    data = build_data(config)
    check_shape(model, data.data_shape, config.dataset)
    return config, model, build_view(config, data, model.likelihood).to(device)


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def nonnegative(text: str) -> int:
    """A whole number that is not below zero, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {text}")
    return value
