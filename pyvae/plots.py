"""Pictures: grids of images, the latent manifold, curves. Arrays in, PNG files out."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyvae.errors import optional
from pyvae.models.base import Model

__all__ = ["curve", "image_grid", "is_image", "manifold", "manifold_latents", "pairs", "save_image"]

Path_ = str | os.PathLike[str]


def is_image(data_shape: Sequence[int]) -> bool:
    """Whether data of this shape can be drawn: (1, H, W) or (3, H, W)."""
    return len(data_shape) == 3 and data_shape[0] in (1, 3)


def image_grid(images: Tensor, columns: int, *, gap: int = 1) -> Tensor:
    """Images (N, C, H, W) side by side, (C, rows (H + gap) - gap, columns (W + gap) - gap).

    Args:
        images: values in [0, 1], uint8 levels of 0 to 255 too
        columns: images per row
        gap: white pixels between them

    Raises:
        ValueError: the images have another shape.
    """
    if images.ndim != 4 or not is_image(images.shape[1:]):
        raise ValueError(f"image_grid: images must be (N, 1 or 3, H, W), got {tuple(images.shape)}")
    n, channels, height, width = images.shape
    images = images.float().div(255) if images.dtype == torch.uint8 else images.float()
    rows = -(-n // columns)
    sheet = torch.ones(rows * columns, channels, height + gap, width + gap)
    sheet[:n, :, :height, :width] = images.detach().cpu().clamp(0, 1)
    sheet = sheet.view(rows, columns, channels, height + gap, width + gap)
    sheet = sheet.permute(2, 0, 3, 1, 4).reshape(channels, rows * (height + gap), -1)
    return sheet[:, : sheet.shape[1] - gap, : sheet.shape[2] - gap]


def save_image(path: Path_, image: Tensor, *, width: int = 800) -> None:
    """Write an image (C, H, W) in [0, 1] as PNG, its pixels enlarged to about ``width`` in all.

    The file appears whole or not at all.
    """
    matplotlib_image = optional("matplotlib.image")
    levels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    zoom = max(1, width // levels.shape[1])
    levels = levels.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1).expand(-1, -1, 3)
    _replace(
        path, lambda name: matplotlib_image.imsave(name, levels.contiguous().numpy(), format="png")
    )


def pairs(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Data (N, C, H, W) above what the model makes of them, N columns in rows of 10: a sheet."""
    rows = []
    for start in range(0, len(x), 10):
        part = slice(start, start + 10)
        rows += [x[part].float().cpu(), reconstruction[part].float().cpu()]
        if len(rows[-1]) < 10:  # the last, shorter row still keeps data above reconstruction
            white = torch.ones(10 - len(rows[-1]), *x.shape[1:])
            rows[-2:] = [torch.cat([row, white]) for row in rows[-2:]]
    return image_grid(torch.cat(rows), columns=10)


def manifold_latents(side: int) -> Tensor:
    """Latents (side^2, 2) on the grid of inverse Gaussian CDF quantiles, row by row.

    Quantiles (i + 1/2) / side, so that each point stands for an equal share of the prior N(0, I):
    Kingma & Welling 2014, appendix A. The first latent grows to the right, the second upwards.
    """
    quantiles = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    values = torch.special.ndtri(quantiles).float()
    down, across = torch.meshgrid(values.flip(0), values, indexing="ij")
    return torch.stack([across, down], dim=-1).view(-1, 2)


@torch.no_grad()
def manifold(model: Model, side: int = 20, **extras: Tensor) -> Tensor:
    """The decoder's means over the plane of two latents: images (side^2, *data_shape).

    Raises:
        ValueError: the model has another number of latents.
    """
    if model.latent_dim != 2:
        raise ValueError(f"manifold: the model must have 2 latents, got {model.latent_dim}")
    device = next(model.parameters()).device
    z = manifold_latents(side).to(device, model.dtype)
    mean: Tensor = model.decode(z, **extras).mean
    return mean


def curve(path: Path_, metrics: Path_) -> None:
    """Draw a run's bounds and log-likelihoods against the number of samples seen.

    Args:
        path: the PNG to write
        metrics: the run's ``metrics.csv``
    """
    with open(metrics, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = optional("matplotlib.figure").Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    ranges = [_line(axes, rows, name) for name in (rows[0] if rows else {}) if _drawn(name)]
    seen = [limits for limits in ranges if limits is not None]
    if seen:
        low, high = min(low for low, _ in seen), max(high for _, high in seen)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.legend()
    axes.set_xscale("log")
    axes.set_xlabel("training samples seen")
    axes.set_ylabel("nats per datum")
    axes.grid(alpha=0.3)
    _replace(path, lambda name: figure.savefig(name, format="png", dpi=120))


def _drawn(name: str) -> bool:
    split, _, quantity = name.partition("/")
    return quantity == "elbo" or (quantity == "log_likelihood" and split != "train")


def _line(axes: Any, rows: Sequence[Mapping[str, str]], name: str) -> tuple[float, float] | None:
    """Draw one column; returns its range without the first tenth, which is far below the rest."""
    points = [(float(row["samples"]), float(row[name])) for row in rows if row[name]]
    if not points:
        return None
    x, y = zip(*points, strict=True)
    axes.plot(x, y, label=name.replace("/", " ").replace("_", "-"), linewidth=1.4)
    tail = y[len(y) // 10 :]
    return min(tail), max(tail)


def _replace(path: Path_, write: Any) -> None:
    target = Path(path)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        write(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
