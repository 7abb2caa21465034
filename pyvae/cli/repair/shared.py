"""What the commands share that repair data: the data, baselines, errors, pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyvae.cli.pictures import add_out, check_targets, write_all
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, positive
from pyvae.cli.show import listing

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.analysis import Selection
    from pyvae.data import View
    from pyvae.models.base import Model

__all__ = ["add_repair_arguments", "chosen_data", "pixel_mean", "report", "targets_of"]

SHOWN = 10  # data in a picture


def add_repair_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """A run, the data to repair, and where the picture is to be."""
    add_run_arguments(parser)
    parser.add_argument(
        "-n", "--number", type=positive, default=100, metavar="N", help="random held-out data"
    )
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N")
    parser.add_argument("--json", action="store_true", help="print the errors as JSON")
    add_out(parser, name)


def targets_of(arguments: argparse.Namespace, model: Model, name: str) -> list[Path]:
    """Where pictures and arrays go.

    Raises:
        UserError: they cannot go there.
    """
    return check_targets(arguments.out, Path(arguments.run) / name, model.data_shape)


def chosen_data(
    model: Model, view: View, arguments: argparse.Namespace
) -> tuple[Selection, Tensor, dict[str, Tensor]]:
    """The data that were asked for, as the likelihood sees them, and their side inputs."""
    import torch

    from pyvae.analysis import select

    selection = select(view, arguments.split, arguments.number, arguments.seed)
    x = torch.cat([batch.x for batch in selection.batches(model)]).to(model.dtype).cpu()
    return selection, x, selection.side(model, len(x))


def pixel_mean(view: View) -> Tensor:
    """The mean of the training data (*data_shape), the guess of one who has not seen the datum."""
    from pyvae.training.describe import moments

    return moments(view)[0].cpu()


def report(
    arguments: argparse.Namespace,
    targets: list[Path],
    view: View,
    pictures: Mapping[str, Tensor],
    errors: Mapping[str, float],
    more: Mapping[str, Tensor],
) -> int:
    """Print the errors, and write rows of pictures and all arrays.

    Args:
        arguments: of the command
        targets: the files
        view: what is drawn as white
        pictures: x (N, *data_shape) by name, a row each; the last one is the model's
        errors: root mean squared errors by name
        more: further arrays
    """
    import torch

    from pyvae import plots

    if arguments.json:
        print(json.dumps({"rows": len(next(iter(pictures.values()))), "rmse": dict(errors)}))
    else:
        rows = [(name, f"{error:.4f}") for name, error in errors.items()]
        print(listing("root mean squared error", rows))
    sheet, shown = None, next(iter(pictures.values()))[:SHOWN]
    if plots.is_image(tuple(shown.shape[1:])):
        images = torch.cat([x[:SHOWN].float() for x in pictures.values()])
        sheet = plots.image_grid(images / view.white, len(shown))
    *others, (last, x) = pictures.items()
    arrays = {last: x, **dict(others), **more}
    write_all(targets, {name.replace(" ", "_"): value for name, value in arrays.items()}, sheet)
    return 0
