"""The pictures of a run's latents, which ``pyvae plot`` draws where they are asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyvae.cli.latents.figures import check_wanted, factors_and_codes

if TYPE_CHECKING:
    from pyvae.data import View
    from pyvae.models.base import Model

__all__ = ["add_picture_arguments", "latent_pictures"]

ROWS = 5000  # points of a picture, at most


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures."""
    parser.add_argument(
        "--latents",
        nargs="+",
        choices=("none", "pca", "tsne", "umap"),
        metavar="METHOD",
        help="test data in the plane of their latents, by label: pca, tsne, umap, or none for the "
        "first two as they are",
    )
    parser.add_argument("--kl", action="store_true", help="the KL of each latent, and who is used")
    parser.add_argument(
        "--factors", action="store_true", help="what each latent tells of each known factor"
    )


def latent_pictures(arguments: argparse.Namespace, model: Model, view: View) -> list[str]:
    """Draw what was asked for into the run folder; returns the names of the files.

    Raises:
        UserError: the data have no factors.
    """
    from pyvae import plots
    from pyvae.analysis import encode, project, select, usage
    from pyvae.data.sets.sprites import FACTORS
    from pyvae.metrics.factors import entropies, mutual_information
    from pyvae.training.join import said_plainly

    check_wanted(view, "test", arguments.factors, None, "--factors")
    folder = Path(arguments.run)
    drawn: dict[str, Callable[[Path], None]] = {}  # nothing is written before all is known
    with said_plainly():
        some = select(view, "test", ROWS)
        if arguments.latents:
            z, labels, classes = encode(model, some.batches(model)), some.labels, view.data.classes
            for method in arguments.latents:
                drawn[f"latents_{method}.png"] = partial(
                    plots.scatter, points=project(z, method), labels=labels, classes=classes
                )
        if arguments.kl:
            found = usage(model, select(view, "test").batches(model))
            drawn["kl.png"] = partial(plots.kl_bars, kl=found.kl, active=found.active)
        if arguments.factors:
            factors, codes, _ = factors_and_codes(model, view)
            shares = mutual_information(codes, factors) / entropies(factors)[:, None]
            known = list(FACTORS) if view.data.name == "sprites" else range(factors.shape[1])
            drawn["factors.png"] = partial(
                plots.factor_map, shares=shares, factors=list(map(str, known))
            )
    for name, picture in drawn.items():
        picture(folder / name)
    return list(drawn)
