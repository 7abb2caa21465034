"""``pyvae decode``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pyvae.cli.conditions import add_condition, given_conditions
from pyvae.cli.rows import add_table_out
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_model, open_run, other_data
from pyvae.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.models.base import Model
    from pyvae.training import RunFolder

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument(
        "--z", required=True, metavar="FILE", help="latents: .npy, .csv, .parquet or .h5ad"
    )
    parser.add_argument("--draws", action="store_true", help="draws of p(x|z), not its means")
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test", "all"),
        help="the latents are those that encode wrote of this split: take the side inputs of its "
        "rows (default: those of some test data)",
    )
    parser.add_argument(
        "--subset", type=nonnegative, default=0, metavar="N", help="as it was given to encode"
    )
    add_condition(parser, "of all that is made; several values are taken in turn")
    parser.add_argument(
        "--seed", type=nonnegative, default=0, metavar="N", help="of the draws, and of the subset"
    )
    add_table_out(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write what the model makes of latents, a row for each.

    Side inputs are those of the rows that the latents come from, where ``--split`` says which these
    are, else those of test data, one after the other: with ``--dataset`` from there, else those
    that the run folder keeps.
    """
    import numpy as np
    import torch

    from pyvae.analysis.codes import decode_parts
    from pyvae.analysis.rows import check_latents
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
        side = _side(arguments, folder, model, len(z))
        if arguments.condition:
            side |= given_conditions(folder, arguments.condition)
        with seeded(arguments.seed, next(model.parameters()).device), said_unwritable(target):
            flat = z.reshape(-1, model.latent_dim)
            parts = (x.numpy() for x in decode_parts(model, flat, side, draws=arguments.draws))
            x = spooled(parts, np.arange(len(flat)), target.absolute().parent)
    write_table(target, Table("x", x.reshape(*z.shape[:-1], *model.data_shape)))
    return 0


def _side(
    arguments: argparse.Namespace, folder: RunFolder, model: Model, count: int
) -> dict[str, Tensor]:
    """The side inputs of so many latents that p(x|z) takes.

    Raises:
        UserError: the rows that they were said to come from are more, or fewer, or it was not said
            of which split they are.
    """
    from pyvae.analysis import select

    if arguments.split is None and arguments.subset:
        raise UserError("--subset goes with --split, both as they were given to encode")
    if arguments.split is None and not other_data(arguments):
        return folder.test_side(model)
    _, _, view = open_run(arguments)
    selection = select(view, arguments.split or "test", arguments.subset, arguments.seed)
    if arguments.split is not None and len(selection) != count:
        raise UserError(
            f"--z {arguments.z} holds {count} rows of latents, and --split {arguments.split} "
            f"(--subset {arguments.subset}) {len(selection)} rows of data"
        )
    side = selection.side(model, len(selection))
    return {name: value[selection.order] for name, value in side.items()}
