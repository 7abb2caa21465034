"""What stands in a run folder at the end: final figures and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pyvae import plots
from pyvae.analysis.plane import manifold
from pyvae.config import TrainConfig
from pyvae.data import Split, View
from pyvae.errors import RunError
from pyvae.metrics import Evaluation, seeded
from pyvae.models.base import Model, mean_or_sample
from pyvae.training.evaluation import AGGREGATE, evaluate_split
from pyvae.training.folder import RunFolder
from pyvae.training.loggers import read_rows

__all__ = ["final_figures", "pictures", "reconstructions", "results", "samples"]

TILES = 100  # images in a picture


@torch.no_grad()
def samples(
    model: Model, side: Mapping[str, Tensor], n: int, *, draw: bool = False, columns: int = 1
) -> Tensor:
    """The means of p(x|z), or draws from it, at n samples z of the prior: (n, *data_shape).

    Args:
        model: whose samples
        side: side inputs of the model (B, ...) each, taken over and over
        n: how many
        draw: draws instead of means
        columns: how many samples in a row share their latents, if p(z) knows of no side input
    """
    device = next(model.parameters()).device
    each = {
        name: value.to(device)[torch.arange(n, device=device) % len(value)]
        for name, value in side.items()
    }
    if columns > 1 and not model.prior_inputs:
        z = model.sample_prior(n // columns, {}).repeat_interleave(columns, 0)
    else:
        z = model.sample_prior(n, each)
    p = model.decode(z, **each)
    return p.sample() if draw else mean_or_sample(p)


@torch.no_grad()
def reconstructions(model: Model, x: Tensor, split: Split, *, draw: bool = False) -> Tensor:
    """The means of p(x|z), or draws from it, at the posterior means of x (B, *data_shape).

    Where the posterior knows no mean, a sample stands for it. Side inputs are those of the split,
    whose data x are.
    """
    batch = replace(split, x=x)
    p = model.decode(mean_or_sample(model.infer(batch)[0]), **split.side(model.side_inputs))
    return p.sample() if draw else mean_or_sample(p)


def final_figures(
    config: TrainConfig,
    model: Model,
    view: View,
    tick: Callable[[], None] = lambda: None,
    *,
    quiet: bool = True,
) -> Evaluation:
    """The figures of the whole test split."""
    return evaluate_split(
        model,
        view,
        view.data.test,
        num_samples=config.eval_samples,
        aggregate=AGGREGATE,
        tick=tick,
        quiet=quiet,
    )


def results(config: TrainConfig, figures: Evaluation, step: int | None = None) -> dict[str, object]:
    """The content of ``results.json``."""
    steps = {} if step is None else {"step": step}
    return {"dataset": config.dataset, "split": "test", **steps, **figures.to_dict()}


def pictures(
    folder: RunFolder,
    model: Model,
    view: View | None,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> tuple[list[str], list[str]]:
    """Draw what can be drawn; returns the names of the files, and why others are missing.

    ``samples.png``: decoder means of samples of the prior; ``reconstructions.png``: test data, as
    grey levels, above their reconstructions, where there are data; ``manifold.png``: the plane of
    two latents; ``filters.png``: the weights of hidden units, of a model that has such;
    ``curve.png``: the bounds.

    Raises:
        RunError: a file of the run is damaged.
    """
    drawn, missing = [], []
    model.eval()
    if folder.metrics.is_file():
        try:
            read_rows(folder.metrics)
            plots.curve(folder.path / "curve.png", folder.metrics)
        except RunError:
            raise
        except (ValueError, LookupError, TypeError) as error:
            raise RunError(f"{folder.metrics} is damaged: {error}") from error
        drawn.append("curve.png")
    else:
        missing.append(f"curve.png: {folder.metrics.name} is missing")
    if not plots.is_image(model.data_shape):
        return drawn, missing
    white = folder.white()
    device = next(model.parameters()).device
    sheets: dict[str, Callable[[], Tensor]] = {
        "samples.png": lambda: plots.image_grid(
            samples(model, folder.test_side(model), TILES) / white, columns=10
        )
    }
    if view is not None:
        test = view.data.test.subset(TILES // 2, seed=seed)
        x = view.held_out_values(test.x)
        sheets["reconstructions.png"] = lambda: plots.pairs(
            view.pictured("test", len(test), seed), reconstructions(model, x, test) / white
        )
    if model.latent_dim == 2 and not model.side_inputs:
        gap = int(model.data_shape[-1] < 16)  # tiny images need a line between them
        sheets["manifold.png"] = lambda: plots.image_grid(manifold(model) / white, 20, gap=gap)
    weights = getattr(model, "filters", None)
    if weights is not None:
        sheets["filters.png"] = lambda: plots.filters(weights()[:TILES])
    for name, sheet in sheets.items():
        tick()
        with seeded(seed, device):
            image = sheet()
        plots.save_image(folder.path / name, image)
        drawn.append(name)
    return drawn, missing
