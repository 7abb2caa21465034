"""What the latents of all data look like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pyvae.plots.files import Path_, new_figure, save_figure

__all__ = ["factor_map", "kl_bars", "scatter"]

MOST_CLASSES = 20  # that a legend names


def scatter(
    path: Path_, points: Tensor, labels: Tensor | None = None, classes: Sequence[str] = ()
) -> None:
    """Draw points of the plane, one colour for each label.

    Args:
        path: the PNG to write
        points: (N, 2)
        labels: whole numbers (N,)
        classes: what they are called; default: their numbers
    """
    figure = new_figure(6.5, 5.5)
    axes, spots = figure.subplots(), points.numpy()
    style = {"s": 4, "alpha": 0.6, "linewidths": 0}
    if labels is None:
        axes.scatter(*spots.T, **style)
    else:
        y = labels.numpy()
        for place, value in enumerate(np.unique(y)):
            name = classes[value] if value < len(classes) else str(value)
            here = spots[y == value]
            axes.scatter(*here.T, color=_colour(place), label=name, **style)
        if len(np.unique(y)) <= MOST_CLASSES:
            axes.legend(markerscale=4, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_aspect("equal", "datalim")
    save_figure(path, figure)


def _colour(place: int) -> str:
    return f"C{place % 10}"


def kl_bars(path: Path_, kl: Tensor, active: Tensor) -> None:
    """Draw the KL of each latent, the largest first; those that are not in use are grey.

    Args:
        path: the PNG to write
        kl: in nats (D,)
        active: bool (D,)
    """
    order = kl.argsort(descending=True)
    figure = new_figure()
    axes = figure.subplots()
    colours = ["C0" if used else "0.7" for used in active[order].tolist()]
    axes.bar(range(len(kl)), kl[order].tolist(), color=colours)
    if len(kl) <= 40:
        axes.set_xticks(range(len(kl)), [str(d) for d in order.tolist()], fontsize=7)
        axes.set_xlabel("latent")
    else:
        axes.set_xlabel("latents by their KL")
    axes.set_ylabel("KL(q(z|x) || p(z)), nats per datum")
    axes.set_title(f"{int(active.sum())} of {len(kl)} latents are active")
    axes.grid(axis="y", alpha=0.3)
    save_figure(path, figure)


def factor_map(path: Path_, shares: Tensor, factors: Sequence[str]) -> None:
    """Draw how much of each factor's entropy each latent shares.

    Args:
        path: the PNG to write
        shares: I(z_d; v_f) / H(v_f), (F, D)
        factors: their names
    """
    figure = new_figure(2 + 0.45 * shares.shape[1], 1.5 + 0.45 * len(factors))
    axes = figure.subplots()
    image = axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="viridis")
    axes.set_yticks(range(len(factors)), factors)
    axes.set_xticks(range(shares.shape[1]))
    axes.set_xlabel("latent")
    figure.colorbar(image, ax=axes, label="share of the factor's entropy")
    save_figure(path, figure)
