"""``pyvae super-resolve``."""

from __future__ import annotations

import argparse

from pyvae.cli.repair.shared import add_repair_arguments, chosen_data, report, targets_of
from pyvae.cli.run_arguments import open_run, positive
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_repair_arguments(parser, "super_resolution.png")
    parser.add_argument(
        "--factor", type=positive, metavar="N", help="of the sides (default: the run's)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Take pixels away from held-out images and let the model bring them back."""
    config, model, view = open_run(arguments)
    targets = targets_of(arguments, model, "super_resolution.png")
    from pyvae.analysis import bicubic, restore, root_mean_square
    from pyvae.analysis.rows import check_latents
    from pyvae.batch import Batch
    from pyvae.metrics import seeded
    from pyvae.objectives.denoising import check_level, corrupted
    from pyvae.training.join import said_plainly

    factor, trained = arguments.factor, config.objective_args
    if len(model.data_shape) != 3:
        raise UserError(f"super-resolve: data of shape {model.data_shape} are no images")
    if factor is None:
        if config.objective != "denoising" or trained.get("corruption") != "downsample":
            raise UserError(
                f"{arguments.run} was not trained on images of fewer pixels (--objective "
                f"denoising --objective-args corruption=downsample level=2); say how many times "
                f"fewer with --factor"
            )
        factor = round(trained["level"])
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        check_latents("super-resolve", model)
        check_level("downsample", factor)
        _, x, side = chosen_data(model, view, arguments)
        coarse = corrupted(x, "downsample", factor)
        smooth = bicubic(x / view.white, factor) * view.white
        fine = restore(model, Batch(coarse, None, side))
    errors = {
        "nearest pixel": root_mean_square(coarse, x),
        "bicubic": root_mean_square(smooth, x),
        "model": root_mean_square(fine, x),
    }
    pictures = {"x": x, "coarse": coarse, "bicubic": smooth, "fine": fine}
    return report(arguments, targets, view, pictures, errors, {})
