"""``pyvae reconstruct``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.pictures import check_target, write
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_run, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument("-n", "--number", type=positive, default=50, metavar="N")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--draw", action="store_true", help="draw from p(x|z), not its mean")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N", help="of the choice")
    parser.add_argument(
        "--out", metavar="FILE", help=".png or .npy (default: RUN/reconstructions.png)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show random held-out data (their grey levels) above what the model makes of them."""
    _, model, view = open_run(arguments)
    from pyvae import plots
    from pyvae.metrics import seeded
    from pyvae.training.report import reconstructions

    target = check_target(
        arguments.out or str(Path(arguments.run) / "reconstructions.png"), model.data_shape
    )
    split = view.held_out(arguments.split).subset(arguments.number, seed=arguments.seed)
    x = view.held_out_values(split.x)
    with seeded(arguments.seed, x.device):
        values = reconstructions(model, x, split, draw=arguments.draw)
    sheet = None
    if target.suffix == ".png":
        shown = view.pictured(arguments.split, arguments.number, arguments.seed)
        sheet = plots.pairs(shown, values / view.white)
    return write(target, values, sheet)
