"""``pyvae sample``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.data import DataSplits

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
    test data that the folder keeps, or of the data that are named, but for a condition that is
    given here.
    """
    folder, model = open_model(arguments)
    from pyvae.cli.tables import check_table_target
    from pyvae.metrics import seeded
    from pyvae.training.report import samples

    table = bool(arguments.out) and Path(arguments.out).suffix in (".csv", ".parquet")
    target = (
        check_table_target(arguments.out)
        if table
        else check_target(
            arguments.out or str(Path(arguments.run) / "samples.png"), model.data_shape
        )
    )
    data = None
    if table or other_data(arguments):
        _, model, view = open_run(arguments)
        data = view.data
        if table and not data.columns:
            raise UserError(
                f"--out {arguments.out}: the data {data.name} are no table; give --out FILE.npy"
            )
    number, columns = arguments.number, 1
    side = folder.test_side(model) if data is None else data.test.side(model.side_inputs)
    if arguments.condition:
        side |= given_conditions(folder, arguments.condition)
        columns = len(side["condition"])
        number = -(-number // columns) * columns
    with seeded(arguments.seed, next(model.parameters()).device):
        values = samples(model, side, number, draw=arguments.draw or table, columns=columns)
    if table and data is not None:
        return _write_columns(target, values.cpu(), data)
    from pyvae import plots

    across = columns if columns > 1 else 10
    png = target.suffix == ".png"
    sheet = plots.image_grid(values / folder.white(), across) if png else None
    return write(target, values, sheet)


def _write_columns(target: Path, values: Tensor, data: DataSplits) -> int:
    """Rows with the columns of a table: their names, numbers and categories."""
    from pyvae.cli.tables import Table, write_table
    from pyvae.data.typed import typed

    write_table(target, Table("x", values[:, :0].numpy(), about=typed(values, data)))
    return 0
