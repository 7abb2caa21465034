"""Curves and bars of experiments, as PNG files beside the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from pyvae import plots

Curve = tuple[Sequence[float], Sequence[float]]

__all__ = ["draw", "panels", "rows_of_images", "save", "save_sheet"]


def panels(titles: Sequence[str], width: float = 3.2, height: float = 3.0) -> tuple[Figure, Any]:
    """A row of plots."""
    figure = Figure(figsize=(width * len(titles), height), layout="constrained")
    axes = figure.subplots(1, len(titles), squeeze=False)[0]
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title, fontsize=10)
        one.grid(alpha=0.3)
    return figure, axes


def draw(axes: Any, curves: Mapping[str, Curve], *, x: str, y: str, log: bool = True) -> None:
    """Lines by name."""
    for name, (xs, ys) in curves.items():
        axes.plot(xs, ys, label=name, linewidth=1.4)
    if log:
        axes.set_xscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def save(figure: Figure, path: Path, dpi: int = 100) -> None:
    """As PNG of few colours, which is small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print("written:", path)


def rows_of_images(rows: Sequence[Tensor]) -> Tensor:
    """Rows of images, (N, 1, H, W) each, as a sheet (1, height, width)."""
    return plots.image_grid(torch.cat(list(rows)), columns=len(rows[0]))


def save_sheet(sheet: Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plots.save_image(path, sheet)
    print("written:", path)
