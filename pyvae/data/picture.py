"""A picture of a data set: images side by side, or histograms of what is no image."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split
from pyvae.data.columns import Column
from pyvae.plots import image_grid, is_image, save_image
from pyvae.plots.files import new_figure, save_figure

__all__ = ["draw"]

_IMAGES, _ACROSS = 100, 10
_PANELS, _BINS = 24, 40
_ROWS = 100_000  # of which histograms are drawn


def draw(path: Path, data: DataSplits) -> None:
    """Write a PNG of the training data.

    Images are shown as a grid of 100 random ones; tables as a histogram for each column; counts as
    one of the totals of rows; anything else as one of all values; of 100,000 random rows.

    Raises:
        OSError: it cannot be written.
    """
    some = data.train.subset(_IMAGES if is_image(data.data_shape) else _ROWS)
    if is_image(data.data_shape):
        save_image(path, image_grid(_unit(some.x.float(), data.levels), _ACROSS))
    elif data.columns:
        _histograms(path, [_column(some, i, c) for i, c in enumerate(data.columns[:_PANELS])])
    elif "library" in some.extras:
        totals = some.extras["library"]
        _histograms(path, [("total counts of a row", totals, ())])
    else:
        mask = some.extras.get("mask")
        x = some.x if mask is None else some.x[mask]
        _histograms(path, [("all values", x, ())])


def _unit(x: Tensor, levels: int | None) -> Tensor:
    """Values between 0 and 1: levels by the highest, others by the range that they have."""
    if levels is not None:
        return x / levels
    low, high = x.min(), x.max()
    return (x - low) / (high - low).clamp(min=1e-12)


def _column(split: Split, place: int, column: Column) -> tuple[str, Tensor, tuple[str, ...]]:
    values, mask = split.x[:, place], split.extras.get("mask")
    return column.name, values if mask is None else values[mask[:, place]], column.categories


def _histograms(path: Path, panels: list[tuple[str, Tensor, tuple[str, ...]]]) -> None:
    across = min(4, len(panels))
    down = -(-len(panels) // across)
    figure = new_figure(3 * across + 1, 2.4 * down + 0.4)
    for place, (name, values, categories) in enumerate(panels):
        axes = figure.add_subplot(down, across, place + 1)
        if categories:
            counts = torch.bincount(values.long(), minlength=len(categories)).tolist()
            order = sorted(range(len(counts)), key=lambda i: -counts[i])[:12]
            axes.bar([categories[i][:14] for i in order], [counts[i] for i in order])
            axes.tick_params(axis="x", rotation=60)
        else:
            axes.hist(values.flatten().float().numpy(), bins=_BINS)
        axes.set_title(name[:30], fontsize=9)
        axes.tick_params(labelsize=7)
    save_figure(path, figure)
