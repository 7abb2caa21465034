"""The pictures of a run's latents, which ``pyvae plot`` draws where they are asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
    from pyvae.data.sprites import FACTORS
    from pyvae.metrics.factors import entropies, mutual_information
    from pyvae.training.join import said_plainly

    check_wanted(view, "test", arguments.factors, None)
    folder, drawn = Path(arguments.run), []

    def draw(name: str, picture: Callable[[Path], None]) -> None:
        picture(folder / name)
        drawn.append(name)

    with said_plainly():
        some = select(view, "test", ROWS)
        for method in arguments.latents or ():
            points = project(encode(model, some.batches(model)), method)
            name = f"latents_{method}.png"
            draw(
                name,
                lambda path, points=points: plots.scatter(  # type: ignore[misc]
                    path, points, some.labels, view.data.classes
                ),
            )
        if arguments.kl:
            found = usage(model, select(view, "test").batches(model))
            draw("kl.png", lambda path: plots.kl_bars(path, found.kl, found.active))
        if arguments.factors:
            factors, codes, _ = factors_and_codes(model, view)
            shares = mutual_information(codes, factors) / entropies(factors)[:, None]
            names = list(FACTORS) if view.data.name == "sprites" else range(factors.shape[1])
            draw("factors.png", lambda path: plots.factor_map(path, shares, list(map(str, names))))
    return drawn
