"""``pyvae traverse``."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyvae.cli.pictures import add_out, check_targets, write_all
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_run, positive
from pyvae.cli.say import note

__all__ = ["add_arguments", "run"]

ROWS = 20  # of a picture, where the latents are not named
LOOKED_AT = 1000  # data that say which latents are used


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument(
        "--latents",
        nargs="+",
        type=nonnegative,
        metavar="D",
        help=f"which, from 0 on (default: the {ROWS} whose means vary most, in that order)",
    )
    parser.add_argument("--steps", type=positive, default=9, metavar="N", help="pictures a row")
    parser.add_argument(
        "--width", type=float, default=3.0, help="in standard deviations of the prior"
    )
    parser.add_argument(
        "--from-prior",
        action="store_true",
        help="the other latents at the prior's mean, not at those of a random test datum",
    )
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--seed", type=nonnegative, default=0, metavar="N", help="of the datum")
    add_out(parser, "traversal.png")


def run(arguments: argparse.Namespace) -> int:
    """Draw what each latent changes: a row for each, over the width of the prior."""
    _, model, view = open_run(arguments)
    default = Path(arguments.run) / "traversal.png"
    targets = check_targets(arguments.out, default, model.data_shape)
    import torch

    from pyvae import plots
    from pyvae.analysis import encode, select, traverse
    from pyvae.analysis.paths import check_real
    from pyvae.metrics import seeded
    from pyvae.training.join import said_plainly

    with said_plainly(), seeded(arguments.seed, next(model.parameters()).device):
        one = select(view, arguments.split, 1, arguments.seed)
        check_real("traverse", model, one.side(model, 1))
        z = None if arguments.from_prior else encode(model, one.batches(model))[0]
        latents = arguments.latents
        if latents is None:
            some = select(view, arguments.split, LOOKED_AT).batches(model)
            order = encode(model, some).var(0, correction=0).argsort(descending=True)
            latents = order[:ROWS].tolist()
        x = traverse(
            model,
            z,
            latents=latents,
            steps=arguments.steps,
            width=arguments.width,
            side=one.side(model, 1),
        )
    if arguments.latents is None:
        note(f"rows are the latents {', '.join(map(str, latents))}")
    sheet = None
    if plots.is_image(model.data_shape):
        sheet = plots.image_grid(x.flatten(0, 1) / view.white, arguments.steps)
    write_all(targets, {"x": x, "latents": torch.tensor(latents)}, sheet)
    return 0
