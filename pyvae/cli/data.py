"""``pyvae data``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pyvae.cli.pairs import parse_pairs
from pyvae.cli.settings import absolute_paths
from pyvae.cli.targets import checked, said_unwritable

if TYPE_CHECKING:
    from pyvae.data import DataSplits

__all__ = ["add_arguments", "run"]

# what is suggested, if it fits: the first of them
_PREFERRED = {
    "table": ("mixed", "gaussian"),
    "counts": ("negative_binomial", "poisson"),
    "levels": ("bernoulli", "discretized_logistic", "gaussian"),
    "photographs": ("discretized_logistic", "gaussian"),
    "real": ("gaussian",),
}

_LOOKED_AT = 1000  # rows that tell photographs from drawings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("dataset", metavar="PATH", help="your files, or the name of a data set")
    parser.add_argument(
        "--dataset-args", nargs="+", metavar="NAME=VALUE", help="options of the data set"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of local data files")
    parser.add_argument("--out", metavar="FILE", help="draw the data: a .png file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Read a data set, and say what is in it."""
    from pyvae.data import load
    from pyvae.data.summary import summarize
    from pyvae.training.fit import fitting_likelihoods
    from pyvae.training.join import said_plainly

    target = None if arguments.out is None else checked(arguments.out, (".png",))
    options = parse_pairs(arguments.dataset_args or [], "--dataset-args")
    given = absolute_paths({"dataset": arguments.dataset, "dataset_args": options})
    with said_plainly():
        data = load(given["dataset"], arguments.data_dir, **given["dataset_args"])
    summary = summarize(data)
    fitting = fitting_likelihoods(data)
    suggested = next((name for name in _PREFERRED[_kind(data)] if name in fitting), None)
    if arguments.json:
        more = {"likelihoods": fitting, "suggested": suggested}
        print(json.dumps({**summary.to_dict(), **more}, indent=2))
    else:
        print(summary)
        others = [name for name in fitting if name != suggested]
        if suggested is not None:
            print(f"  {'suggested':<12} --likelihood {suggested}")
        print(f"  {'also fit' if suggested else 'fitting':<12} {', '.join(others) or 'none'}")
    if target is not None:
        from pyvae.data.picture import draw

        with said_unwritable(target):
            draw(target, data)
        if not arguments.json:
            print(target)
    return 0


def _kind(data: DataSplits) -> str:
    if data.levels is not None:
        p = data.train.subset(_LOOKED_AT).x.float() / data.levels
        nearly_bits = float((4 * p * (1 - p)).mean()) < 0.5  # 0 for bits, 1 for half of the levels
        return "levels" if nearly_bits else "photographs"
    if "library" in data.train.extras:
        return "counts"
    return "table" if len({column.kind for column in data.columns} - {"real"}) else "real"
