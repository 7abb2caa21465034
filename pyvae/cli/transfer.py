"""``pyvae transfer``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.conditions import add_condition, given_conditions
from pyvae.cli.pictures import check_target, write
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_run, positive
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    add_condition(parser, "under which the data are decoded")
    parser.add_argument("-n", "--number", type=positive, default=10, metavar="N")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N", help="of the choice")
    parser.add_argument("--out", metavar="FILE", help=".png or .npy (default: RUN/transfer.png)")


def run(arguments: argparse.Namespace) -> int:
    """Show test data in the first column, and behind each what it is under other conditions.

    The code is that of q(z|x, c) with the datum's own condition c; p(x|z, c) gets another one.
    """
    _, model, view = open_run(arguments)
    if not arguments.condition:
        raise UserError("pyvae transfer needs --condition NAME=VALUE, such as label=0,1,2")
    import torch

    from pyvae import plots
    from pyvae.batch import Batch
    from pyvae.models.base import mean_or_sample
    from pyvae.training import RunFolder

    target = check_target(
        arguments.out or str(Path(arguments.run) / "transfer.png"), model.data_shape
    )
    others = given_conditions(RunFolder(arguments.run), arguments.condition)["condition"]
    split = view.held_out("test").subset(arguments.number, seed=arguments.seed)
    x = view.held_out_values(split.x)
    columns = len(others)
    with torch.no_grad():
        q, _ = model.infer(Batch(x, extras=split.extras))
        z = mean_or_sample(q).repeat_interleave(columns, 0)
        side = {n: v.repeat_interleave(columns, 0) for n, v in split.extras.items()}
        side["condition"] = others.to(z.device).repeat(len(x), 1)
        values = mean_or_sample(model.decode(z, **side)).reshape(len(x), columns, *x.shape[1:])
    sheet = None
    if target.suffix == ".png":
        shown = view.pictured("test", arguments.number, arguments.seed)
        rows = torch.cat([shown.unsqueeze(1).cpu(), values.cpu() / view.white], 1).flatten(0, 1)
        sheet = plots.image_grid(rows, columns + 1)
    return write(target, values, sheet)
