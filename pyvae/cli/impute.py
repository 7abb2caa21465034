"""``pyvae impute``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pyvae.cli.rows import add_row_arguments, add_table_out, chosen, table_of
from pyvae.cli.run_arguments import open_run, positive

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.analysis import Selection
    from pyvae.cli.tables import Table
    from pyvae.data import DataSplits
    from pyvae.models.base import Model

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_row_arguments(parser)
    parser.add_argument(
        "--samples", type=positive, default=1000, metavar="N", help="importance samples of each row"
    )
    parser.add_argument("--draws", action="store_true", help="draws of p(x|z), not its means")
    add_table_out(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write data with a value in each place: those that were observed, and the model's.

    Of a table, ``.csv`` and ``.parquet`` hold its columns, with their names and their categories.
    """
    from pyvae.cli.tables import check_table_target, write_table
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    target = check_table_target(arguments.out)
    config, model, view = open_run(arguments)
    selection = chosen(view, arguments)
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        whole = _filled(model, selection, arguments.samples, arguments.draws)
        table = table_of("x", whole, selection, config, target)
    write_table(target, _of_columns(table, view.data, target.suffix))
    return 0


def _filled(model: Model, selection: Selection, samples: int, draws: bool) -> Iterator[Tensor]:
    """The rows of each batch, with a value in each place."""
    import torch

    from pyvae.models import impute

    for batch in selection.batches(model):
        side = dict(batch.extras)
        mask = side.pop("mask", torch.ones_like(batch.x, dtype=torch.bool))
        filled = impute(model, batch.x, mask, samples, draws=int(draws), side=side)
        yield filled[0] if draws else filled


def _of_columns(table: Table, data: DataSplits, ending: str) -> Table:
    """Rows of a table by its columns, where the file can hold their names or their categories."""
    import torch

    from pyvae.data.typed import typed

    if not data.columns:
        return table
    if ending in (".csv", ".parquet"):
        of_columns = typed(torch.from_numpy(table.values.copy()), data)
        return replace(table, values=table.values[:, :0], about={**table.about, **of_columns})
    return replace(table, columns=tuple(column.name for column in data.columns))
