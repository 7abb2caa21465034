"""The rows that a command looks at, and what is known of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from pyvae.cli.run_arguments import add_run_arguments, nonnegative

if TYPE_CHECKING:
    from pyvae.analysis import Selection
    from pyvae.data import View

__all__ = ["about", "add_row_arguments", "chosen"]


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


def chosen(view: View, arguments: argparse.Namespace) -> Selection:
    """The rows that were asked for."""
    from pyvae.analysis import select

    return select(view, arguments.split, arguments.subset, arguments.seed)


def about(selection: Selection) -> dict[str, Any]:
    """The split of each row, its number in there, and its label where it has one."""
    columns: dict[str, Any] = {
        "split": np.concatenate([[name] * len(i) for name, i in selection.rows.items()]),
        "row": np.concatenate([index.numpy() for index in selection.rows.values()]),
    }
    labels = selection.labels
    return columns if labels is None else {**columns, "label": labels.numpy()}
