"""``pyvae denoise``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pyvae.cli.repair.shared import (
    add_repair_arguments,
    chosen_data,
    pixel_mean,
    report,
    targets_of,
)
from pyvae.cli.run_arguments import open_run
from pyvae.errors import UserError

if TYPE_CHECKING:
    from pyvae.config import TrainConfig

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_repair_arguments(parser, "denoising.png")
    parser.add_argument(
        "--corruption",
        choices=("gaussian", "masking", "salt_and_pepper"),
        help="the noise (default: what the run was trained on)",
    )
    parser.add_argument("--level", type=float, help="of the noise (default: the run's)")


def run(arguments: argparse.Namespace) -> int:
    """Add noise to held-out data and let the model take it away."""
    config, model, view = open_run(arguments)
    targets = targets_of(arguments, model, "denoising.png")
    from pyvae.analysis import restore, root_mean_square
    from pyvae.analysis.rows import check_latents
    from pyvae.batch import Batch
    from pyvae.metrics import seeded
    from pyvae.objectives.denoising import check_level, corrupted
    from pyvae.training.join import said_plainly

    noise = _noise(config, arguments)
    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        check_latents("denoise", model)
        check_level(noise["corruption"], noise["level"])
        _, x, side = chosen_data(model, view, arguments)
        noisy = corrupted(x, **noise)
        clean = restore(model, Batch(noisy, None, side))
    errors = {
        "noisy data": root_mean_square(noisy, x),
        "mean of the training data": root_mean_square(pixel_mean(view).expand_as(x), x),
        "model": root_mean_square(clean, x),
    }
    pictures = {"x": x, "noisy": noisy, "denoised": clean}
    return report(arguments, targets, view, pictures, errors, {})


def _noise(config: TrainConfig, arguments: argparse.Namespace) -> dict[str, Any]:
    """The noise of the run, with what was given instead.

    Raises:
        UserError: the run was trained without noise, and none was given.
    """
    trained = {"corruption": "masking", "level": 0.25, "low": 0.0, "high": 1.0}
    if config.objective == "denoising":
        trained |= {k: v for k, v in config.objective_args.items() if k in trained}
    if arguments.corruption is None and (
        config.objective != "denoising" or trained["corruption"] == "downsample"
    ):
        raise UserError(
            f"{arguments.run} was not trained on noise (its objective is {config.objective}); say "
            f"which with --corruption"
        )
    given = {"corruption": arguments.corruption, "level": arguments.level}
    return {**trained, **{name: value for name, value in given.items() if value is not None}}
