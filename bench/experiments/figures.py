"""Curves and bars of experiments, as PNG files beside the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from pyvae import plots

Curve = tuple[Sequence[float], Sequence[float]]

__all__ = ["draw", "labelled_rows", "panels", "save"]


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


Row = tuple[str, Tensor]  # what it shows, and images (N, 1, H, W)


def labelled_rows(path: Path, groups: Sequence[Sequence[Row]], zoom: int = 2) -> None:
    """Rows of grey images with their names to the left, groups of rows set apart, as PNG."""
    gap, dpi, font = 4 * zoom, 100, 10.0
    rows = [(name, plots.image_grid(x, columns=len(x))[0]) for group in groups for name, x in group]
    height, width = (zoom * n for n in rows[0][1].shape)
    left = int(max(len(name) for name, _ in rows) * 0.6 * font * dpi / 72) + 2 * gap
    whole = len(rows) * (height + zoom) + (len(groups) - 1) * gap - zoom
    figure = Figure(figsize=((left + width) / dpi, whole / dpi), dpi=dpi)
    ends = {sum(map(len, groups[: i + 1])) for i in range(len(groups))}
    top = whole
    for number, (name, sheet) in enumerate(rows, start=1):
        top -= height
        # Pixels of the figure are pixels of the images, enlarged: nothing is resampled.
        place = (left / (left + width), top / whole, width / (left + width), height / whole)
        axes = figure.add_axes(place)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        at = (left - gap) / (left + width), (top + height / 2) / whole
        figure.text(*at, name, fontsize=font, ha="right", va="center")
        top -= zoom + (gap if number in ends else 0)
    save(figure, path, dpi=dpi)
