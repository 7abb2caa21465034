"""``pyvae inpaint``."""

from __future__ import annotations

import argparse

from pyvae.cli.repair.shared import (
    add_repair_arguments,
    chosen_data,
    pixel_mean,
    report,
    targets_of,
)
from pyvae.cli.run_arguments import open_run, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_repair_arguments(parser, "inpainting.png")
    parser.add_argument(
        "--missing",
        default="bottom",
        metavar="WHERE",
        help="top, bottom, left, right, centre, box:TOP,LEFT,BOTTOM,RIGHT, random:SHARE, or a .npy "
        "or .png file that is not 0 there (default: bottom)",
    )
    parser.add_argument("--steps", type=positive, default=50, metavar="N", help="of a Markov chain")
    parser.add_argument(
        "--chains", type=positive, default=10, metavar="N", help="whose mean is filled in"
    )


def run(arguments: argparse.Namespace) -> int:
    """Take a part of held-out data away and let the model fill it in."""
    _, model, view = open_run(arguments)
    targets = targets_of(arguments, model, "inpainting.png")
    import torch

    from pyvae.analysis import inpaint, missing_region, root_mean_square
    from pyvae.batch import Batch
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        _, x, side = chosen_data(model, view, arguments)
        missing = missing_region(arguments.missing, model.data_shape, len(x), arguments.seed)
        mean = torch.where(missing, pixel_mean(view).to(x), x)
        data, steps, more = Batch(x, None, side), arguments.steps, arguments.chains - 1
        one = inpaint(model, data, missing, steps, chains=1)
        filled = one
        if more:
            filled = inpaint(model, data, missing, steps, chains=more).lerp(one, 1 / (more + 1))
    grey = torch.where(missing, torch.full_like(x, 0.5 * view.white), x)
    errors = {
        "mean of the training data": root_mean_square(mean, x, missing),
        "one chain": root_mean_square(one, x, missing),
        "model": root_mean_square(filled, x, missing),
    }
    pictures = {"x": x, "given": grey, "mean fill": mean, "one chain": one, "filled": filled}
    return report(arguments, targets, view, pictures, errors, {"missing": missing})
