"""The rows that a command looks at, and what is known of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pyvae.cli.run_arguments import add_run_arguments, nonnegative

if TYPE_CHECKING:
    from torch import Tensor

    from pyvae.analysis import Selection
    from pyvae.cli.tables import Table
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
        "--out", required=True, metavar="FILE", help=".npy, .csv, .parquet or .h5ad (obsm)"
    )


def chosen(view: View, arguments: argparse.Namespace) -> Selection:
    """The rows that were asked for."""
    from pyvae.analysis import select

    return select(view, arguments.split, arguments.subset, arguments.seed)


def table_of(
    name: str, values: Tensor, selection: Selection, columns: tuple[str, ...] = ()
) -> Table:
    """A table of rows that come from a selection, with what is known of them.

    That is the split of each row, its number in there, and its label where it has one. Rows of
    files have their number in the file, and its order.
    """
    import numpy as np

    from pyvae.cli.tables import Table

    data, numbers = selection.view.data, selection.numbers.numpy()
    splits = np.concatenate([[split] * len(i) for split, i in selection.rows.items()])
    about: dict[str, Any] = {"split": splits, "row": numbers}
    if (labels := selection.labels) is not None:
        y = labels.numpy()
        about["label"] = np.asarray(data.classes)[y] if data.classes else y
    order = numbers.argsort(kind="stable") if data.rows else np.arange(len(numbers))
    about = {key: column[order] for key, column in about.items()}
    return Table(name, values.numpy()[order], columns, about)
