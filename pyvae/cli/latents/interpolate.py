"""``pyvae interpolate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.pictures import add_out, check_targets, write_all
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_run, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument("-n", "--number", type=positive, default=8, metavar="N", help="rows")
    parser.add_argument("--steps", type=positive, default=10, metavar="N", help="pictures a row")
    parser.add_argument("--path", choices=("spherical", "linear"), default="spherical")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N", help="of the choice")
    add_out(parser, "interpolation.png")


def run(arguments: argparse.Namespace) -> int:
    """Draw what lies between the latents of random held-out data."""
    _, model, view = open_run(arguments)
    default = Path(arguments.run) / "interpolation.png"
    targets = check_targets(arguments.out, default, model.data_shape)
    from pyvae import plots
    from pyvae.analysis import between, encode, interpolate, select
    from pyvae.analysis.rows import check_latents
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    selection = select(view, arguments.split, 2 * arguments.number, arguments.seed)
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        check_latents("interpolate", model)
        rows = len(selection) // 2
        z = encode(model, selection.batches(model))[: 2 * rows]
        ends = z[:rows], z[rows:]
        side = selection.side(model, rows)
        x = interpolate(model, *ends, arguments.steps, path=arguments.path, side=side)
        way = between(*ends, arguments.steps, arguments.path)
    sheet = None
    if plots.is_image(model.data_shape):
        sheet = plots.image_grid(x.flatten(0, 1) / view.white, arguments.steps)
    write_all(targets, {"x": x, "z": way}, sheet)
    return 0
