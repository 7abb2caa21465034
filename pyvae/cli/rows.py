"""The rows that a command looks at, and what is known of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvae.cli.run_arguments import add_run_arguments, nonnegative
from pyvae.cli.targets import said_unwritable
from pyvae.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.analysis import Selection
    from pyvae.cli.tables import Table
    from pyvae.config import TrainConfig
    from pyvae.data import View

__all__ = ["add_row_arguments", "add_table_out", "chosen", "table_of"]


def add_row_arguments(parser: argparse.ArgumentParser, split: str = "all") -> None:
    """A run, and which rows of its data, or of others."""
    add_run_arguments(parser)
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test", "all"),
        default=split,
        help=f"whose rows (default: {split})",
    )
    parser.add_argument(
        "--subset", type=nonnegative, default=0, metavar="N", help="random rows; 0: all"
    )
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N")


def add_table_out(parser: argparse.ArgumentParser) -> None:
    """Where the numbers of the rows are to be."""
    parser.add_argument(
        "--out", required=True, metavar="FILE", help=".npy, .csv, .parquet or .h5ad"
    )


def chosen(view: View, arguments: argparse.Namespace) -> Selection:
    """The rows that were asked for."""
    from pyvae.analysis import select

    return select(view, arguments.split, arguments.subset, arguments.seed)


def table_of(
    name: str,
    found: Iterable[Tensor],
    selection: Selection,
    config: TrainConfig,
    target: Path,
    columns: tuple[str, ...] = (),
) -> Table:
    """A row of numbers for each datum of a selection, with what is known of it.

    That is the split of each row, its number in there, and its label where it has one. Rows of
    files have their number in the file, and its order. The numbers lie on the disk of the target.

    Args:
        name: what the numbers are called
        found: the numbers (B, ...) of the rows in the selection's order, block by block
        selection: the rows
        config: the settings, which say where the data come from
        target: the file that the table is for
        columns: the names of the numbers

    Raises:
        UserError: there are no rows, or no room for them.
    """
    import numpy as np

    from pyvae.cli.annotated import source_of
    from pyvae.cli.spool import spooled
    from pyvae.cli.tables import Table
    from pyvae.training.meter import meter

    if not len(selection):
        raise UserError(f"there are no rows in {' and '.join(selection.rows)}")
    data, numbers = selection.view.data, selection.numbers.numpy()
    splits = np.concatenate([[split] * len(i) for split, i in selection.rows.items()])
    about: dict[str, Any] = {"split": splits, "row": numbers}
    if (labels := selection.labels) is not None:
        y = labels.numpy()
        about["label"] = np.asarray(data.classes)[y] if data.classes else y
    order = selection.order.numpy()
    about = {key: column[order] for key, column in about.items()}
    with said_unwritable(target), meter(f"rows of {target}", len(selection)) as tick:
        values = spooled(_told(found, tick), order.argsort(), target.absolute().parent)
    source = source_of(config, about["row"]) if data.rows and target.suffix == ".h5ad" else None
    return Table(name, values, columns, about, source)


def _told(found: Iterable[Tensor], tick: Callable[[int], None]) -> Iterator[Any]:
    """Blocks of rows as arrays, each of which is told once it is there."""
    for block in found:
        tick(len(block))
        yield block.cpu().numpy()
