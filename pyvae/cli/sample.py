"""``pyvae sample``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.conditions import add_condition, given_conditions
from pyvae.cli.pictures import check_target, write
from pyvae.cli.run_arguments import (
    add_run_arguments,
    nonnegative,
    open_model,
    open_run,
    other_data,
    positive,
)
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument("-n", "--number", type=positive, default=100, metavar="N")
    parser.add_argument("--draw", action="store_true", help="draw from p(x|z), not its mean")
    add_condition(parser, "of all samples; several values give each column one of them")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=".png or .npy (default: RUN/samples.png); of a table also .csv or .parquet: draws",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw z from the prior, and show what the decoder makes of it.

    The run folder alone is enough: side inputs of the model, where it has any, are those of
    test data that the folder keeps, or of the data that are named.
    """
    if arguments.out and Path(arguments.out).suffix in (".csv", ".parquet"):
        return _table(arguments)
    folder, model = open_model(arguments)
    from pyvae import plots
    from pyvae.metrics import seeded
    from pyvae.training.report import samples

    target = check_target(
        arguments.out or str(Path(arguments.run) / "samples.png"), model.data_shape
    )
    number = arguments.number
    if arguments.condition:
        side = given_conditions(folder, model, arguments.condition)
        columns = len(side["condition"])
        number = -(-number // columns) * columns
    elif other_data(arguments):
        _, model, view = open_run(arguments)
        side = view.data.test.side(model.side_inputs)
    else:
        side = folder.test_side(model)
    with seeded(arguments.seed, next(model.parameters()).device):
        values = samples(
            model, side, number, draw=arguments.draw, columns=columns if arguments.condition else 1
        )
    across = columns if arguments.condition and columns > 1 else 10
    png = target.suffix == ".png"
    sheet = plots.image_grid(values / folder.white(), across) if png else None
    return write(target, values, sheet)


def _table(arguments: argparse.Namespace) -> int:
    """Draws with the columns of the run's data: their names, numbers and categories."""
    from pyvae.cli.tables import Table, check_table_target, write_table
    from pyvae.data.typed import typed
    from pyvae.metrics import seeded
    from pyvae.training.report import samples

    target = check_table_target(arguments.out)
    _, model, view = open_run(arguments)
    if not view.data.columns:
        raise UserError(
            f"--out {arguments.out}: the data {view.data.name} are no table; give --out FILE.npy"
        )
    side = view.data.test.side(model.side_inputs)
    with seeded(arguments.seed, next(model.parameters()).device):
        values = samples(model, side, arguments.number, draw=True).cpu()
    nothing = values[:, :0].numpy()
    write_table(target, Table("x", nothing, about=typed(values, view.data)))
    return 0
