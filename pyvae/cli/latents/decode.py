"""``pyvae decode``."""

from __future__ import annotations

import argparse

from pyvae.cli.rows import add_table_out
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_model, open_run, other_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument(
        "--z", required=True, metavar="FILE", help="latents: .npy, .csv, .parquet or .h5ad"
    )
    parser.add_argument("--draws", action="store_true", help="draws of p(x|z), not its means")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N", help="of the draws")
    add_table_out(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write what the model makes of latents, a row for each.

    Side inputs are those of test data, one after the other: with ``--dataset`` from there, else
    those that the run folder keeps.
    """
    import numpy as np
    import torch

    from pyvae.analysis.codes import decode_parts
    from pyvae.analysis.rows import check_latents, given
    from pyvae.cli.latents.read import read_latents
    from pyvae.cli.spool import spooled
    from pyvae.cli.tables import Table, check_table_target, write_table
    from pyvae.cli.targets import said_unwritable
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    target = check_table_target(arguments.out)
    folder, model = open_model(arguments)
    with said_plainly():
        check_latents("decode", model)
        z = torch.from_numpy(read_latents(arguments.z, model.latent_dim))
        if other_data(arguments):
            _, model, view = open_run(arguments)
            side = given(model, view.data.test)
        else:
            side = folder.test_side(model)
        with seeded(arguments.seed, next(model.parameters()).device), said_unwritable(target):
            flat = z.reshape(-1, model.latent_dim)
            parts = (x.numpy() for x in decode_parts(model, flat, side, draws=arguments.draws))
            x = spooled(parts, np.arange(len(flat)), target.absolute().parent)
    write_table(target, Table("x", x.reshape(*z.shape[:-1], *model.data_shape)))
    return 0
