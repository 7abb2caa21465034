"""``pyvae impute``."""

from __future__ import annotations

import argparse
from dataclasses import replace

from pyvae.cli.rows import add_row_arguments, add_table_out, chosen, table_of
from pyvae.cli.run_arguments import open_run, positive

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
    import torch

    from pyvae.cli.tables import check_table_target, write_table
    from pyvae.data.typed import typed
    from pyvae.metrics import seeded
    from pyvae.models import impute
    from pyvae.training.join import said_plainly

    target = check_table_target(arguments.out)
    _, model, view = open_run(arguments)
    selection, found = chosen(view, arguments), []
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        for batch in selection.batches(model):
            side = dict(batch.extras)
            mask = side.pop("mask", torch.ones_like(batch.x, dtype=torch.bool))
            filled = impute(
                model, batch.x, mask, arguments.samples, draws=int(arguments.draws), side=side
            )
            found.append((filled[0] if arguments.draws else filled).cpu())
    values = torch.cat(found) if found else torch.zeros(0, *model.data_shape)
    table = table_of("x", values, selection)
    if view.data.columns and target.suffix in (".csv", ".parquet"):
        known = {**table.about, **typed(torch.from_numpy(table.values), view.data)}
        table = replace(table, values=table.values[:, :0], about=known)
    write_table(target, table)
    return 0
