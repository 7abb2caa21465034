"""What stands in a run folder at the end: final figures and pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pyvae import plots
from pyvae.config import TrainConfig
from pyvae.data import Split, View
from pyvae.metrics import Evaluation, seeded
from pyvae.models.base import Model, posterior_mean
from pyvae.training.evaluation import AGGREGATE, evaluate_split
from pyvae.training.folder import RunFolder

__all__ = ["final_figures", "pictures", "reconstructions", "results", "samples"]

TILES = 100  # images in a picture


@torch.no_grad()
def samples(model: Model, split: Split, n: int, *, draw: bool = False) -> Tensor:
    """The means of p(x|z), or draws from it, at n samples z of the prior: (n, *data_shape).

    Side inputs are those of the split's first data, over and over.
    """
    rows = torch.arange(n) % max(len(split), 1)
    side = split.side(model.likelihood.side_inputs)
    side = {name: value[rows.to(value.device)] for name, value in side.items()}
    p = model.decode(model.prior().sample(torch.Size((n,))), **side)
    return p.sample() if draw else p.mean


@torch.no_grad()
def reconstructions(model: Model, x: Tensor, split: Split, *, draw: bool = False) -> Tensor:
    """The means of p(x|z), or draws from it, at the posterior means of x (B, *data_shape).

    Where the posterior knows no mean, a sample stands for it. Side inputs are those of the split,
    whose data x are.
    """
    p = model.decode(posterior_mean(model.encode(x)), **split.side(model.likelihood.side_inputs))
    return p.sample() if draw else p.mean


def final_figures(
    config: TrainConfig, model: Model, view: View, tick: Callable[[], None] = lambda: None
) -> Evaluation:
    """The figures of the whole test split."""
    return evaluate_split(
        model,
        view,
        view.data.test,
        num_samples=config.eval_samples,
        aggregate=AGGREGATE,
        tick=tick,
    )


def results(config: TrainConfig, figures: Evaluation, step: int | None = None) -> dict[str, object]:
    """The content of ``results.json``."""
    steps = {} if step is None else {"step": step}
    return {"dataset": config.dataset, "split": "test", **steps, **figures.to_dict()}


def pictures(folder: RunFolder, model: Model, view: View, seed: int) -> list[str]:
    """Draw what can be drawn; returns the names of the files.

    ``samples.png``: decoder means of samples of the prior; ``reconstructions.png``: test data, as
    grey levels, above their reconstructions; ``manifold.png``: the plane of two latents;
    ``curve.png``: the bounds.
    """
    names = []
    model.eval()
    if folder.metrics.is_file():
        plots.curve(folder.path / "curve.png", folder.metrics)
        names.append("curve.png")
    if not plots.is_image(model.data_shape):
        return names
    test = view.data.test.subset(TILES // 2, seed=seed)
    x = view.held_out_values(test.x)
    scale = view.white
    with seeded(seed, x.device):
        drawn = {
            "samples.png": plots.image_grid(samples(model, test, TILES) / scale, columns=10),
            "reconstructions.png": plots.pairs(
                view.pictured("test", len(test), seed),
                reconstructions(model, x, test) / scale,
            ),
        }
    if model.latent_dim == 2 and not model.likelihood.side_inputs:
        gap = int(model.data_shape[-1] < 16)  # tiny images need a line between them
        drawn["manifold.png"] = plots.image_grid(plots.manifold(model) / scale, 20, gap=gap)
    for name, image in drawn.items():
        plots.save_image(folder.path / name, image)
    return names + list(drawn)
