"""``pyvae manifold``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.pictures import add_out, check_targets, write_all
from pyvae.cli.run_arguments import add_run_arguments, open_model, open_run, other_data, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument("--size", type=positive, default=20, metavar="N", help="N x N pictures")
    add_out(parser, "manifold.png")


def run(arguments: argparse.Namespace) -> int:
    """Draw the plane of two latents, on a grid of equal shares of the prior."""
    folder, model = open_model(arguments)
    default = Path(arguments.run) / "manifold.png"
    targets = check_targets(arguments.out, default, model.data_shape)
    from pyvae import plots
    from pyvae.analysis import manifold, manifold_latents
    from pyvae.analysis.rows import given
    from pyvae.training.join import said_plainly

    if other_data(arguments):
        _, model, view = open_run(arguments)
        side = given(model, view.data.test[:1])
    else:
        side = {name: value[:1] for name, value in folder.test_side(model).items()}
    with said_plainly():
        x = manifold(model, arguments.size, side=side)
    sheet = None
    if plots.is_image(model.data_shape):
        gap = int(model.data_shape[-1] < 16)  # tiny images need a line between them
        sheet = plots.image_grid(x / folder.white(), arguments.size, gap=gap)
    write_all(targets, {"x": x, "z": manifold_latents(arguments.size)}, sheet)
    return 0
