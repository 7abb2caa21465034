"""Images side by side, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.errors import optional
from pyvae.plots.files import Path_, write_file

__all__ = ["filters", "image_grid", "is_image", "pairs", "save_image"]


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
    pixels = levels.contiguous().numpy()
    write_file(path, lambda file: matplotlib_image.imsave(file, pixels, format="png"))


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


def filters(weights: Tensor, columns: int = 10) -> Tensor:
    """Weights (N, C, H, W), one image for each unit: zero is grey, each unit has its own scale.

    >>> filters(torch.tensor([-2.0, 0.0, 2.0]).view(1, 1, 1, 3), columns=1)
    tensor([[[0.0000, 0.5000, 1.0000]]])
    """
    largest = weights.abs().flatten(1).amax(1)[:, None, None, None]
    scale = 2 * largest.clamp(min=torch.finfo(weights.dtype).tiny)
    return image_grid(0.5 + weights / scale, columns)
