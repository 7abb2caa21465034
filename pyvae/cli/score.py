"""``pyvae score``."""

from __future__ import annotations

import argparse

from pyvae.cli.rows import add_row_arguments, add_table_out, chosen, table_of
from pyvae.cli.run_arguments import open_run, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_row_arguments(parser)
    parser.add_argument(
        "--samples", type=positive, default=100, metavar="N", help="importance samples of each row"
    )
    add_table_out(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write log p(x) of each datum, in nats, and its standard error."""
    import torch

    from pyvae.analysis import score
    from pyvae.cli.tables import check_table_target, write_table
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    target = check_table_target(arguments.out)
    config, model, view = open_run(arguments)
    selection, columns = chosen(view, arguments), ("log_likelihood", "standard_error")
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        scores = (score(model, x, arguments.samples) for x in selection.batches(model))
        found = (torch.stack([one.log_likelihood, one.error], 1) for one in scores)
        table = table_of("score", found, selection, config, target, columns)
    write_table(target, table)
    return 0
