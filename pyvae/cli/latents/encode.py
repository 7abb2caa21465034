"""``pyvae encode``."""

from __future__ import annotations

import argparse

from pyvae.cli.rows import add_row_arguments, add_table_out, chosen, table_of
from pyvae.cli.run_arguments import open_run

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_row_arguments(parser)
    parser.add_argument("--draws", action="store_true", help="draws of q(z|x), not its means")
    add_table_out(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the latents of data, a row for each datum."""
    from pyvae.analysis import encode
    from pyvae.analysis.rows import check_latents
    from pyvae.cli.tables import check_table_target, write_table
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    target = check_table_target(arguments.out)
    config, model, view = open_run(arguments)
    selection = chosen(view, arguments)
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        check_latents("encode", model)
        codes = (encode(model, x, draws=arguments.draws) for x in selection.batches(model))
        table = table_of("z", codes, selection, config, target)
    write_table(target, table)
    return 0
