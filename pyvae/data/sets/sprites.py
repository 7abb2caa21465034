"""Small shapes whose factors are known: every combination of them, drawn from formulas."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import torch
from torch import Tensor

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["CATEGORICAL", "FACTORS", "sprites"]


def _square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) <= 0.75


def _ellipse(x: Tensor, y: Tensor) -> Tensor:
    return x.square() + (y / 0.5).square() <= 1


def _heart(x: Tensor, y: Tensor) -> Tensor:
    """(x^2 + y^2 - 1)^3 <= x^2 y^3, shrunk to the unit disc."""
    x, y = 1.4 * x, 1.4 * y
    return (x.square() + y.square() - 1).pow(3) <= x.square() * y.pow(3)


SHAPES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (_square, _ellipse, _heart)

#: The factors, in the order of the columns of "factors", and how many values each has.
FACTORS = {"shape": len(SHAPES), "scale": 4, "rotation": 8, "x": 8, "y": 8}
#: The columns whose values have no order.
CATEGORICAL = (0,)


@datasets.register("sprites")
def sprites(
    *, data_dir: str | os.PathLike[str] | None = None, size: int = 32, seed: int = 0
) -> DataSplits:
    """Squares, ellipses and hearts of 4 sizes, 8 rotations and 8 x 8 places: 6144 binary images.

    Every combination once, as in dSprites (Matthey et al. 2017), of which this is a small relative
    that is drawn here and not downloaded. Rotations go from 0 to 79 degrees, in which none of the
    shapes returns to itself. The side input "factors" (N, 5) holds the number of each factor's
    value (see ``FACTORS``), the labels are the shapes.

    Args:
        data_dir: ignored
        size: 32 or 64 pixels
        seed: of the shuffle, split 80 / 10 / 10 per cent

    Raises:
        DataError: another size.
    """
    if size not in (32, 64):
        raise DataError(f"sprites: size must be 32 or 64, got {size}")
    factors = torch.cartesian_prod(*(torch.arange(count) for count in FACTORS.values()))
    each = len(factors) // len(SHAPES)  # the shape is the first factor
    parts = zip(SHAPES, factors.split(each), strict=True)
    x = torch.cat([_draw(shape, part, size) for shape, part in parts]).unsqueeze(1)
    whole = Split(x, factors[:, 0].clone(), {"factors": factors})
    held = len(whole) // 10
    splits = shuffled(whole, (len(whole) - 2 * held, held, held), seed)
    return DataSplits("sprites", *splits, levels=1)


def _draw(shape: Callable[[Tensor, Tensor], Tensor], factors: Tensor, size: int) -> Tensor:
    """Images (N, size, size) of one shape: a pixel is 1 where its centre is inside."""
    _, scale, rotation, across, down = factors.T[..., None, None]
    counts = list(FACTORS.values())
    radius = 0.27 + 0.25 * scale / (counts[1] - 1)  # of a picture that goes from -1 to 1
    angle = math.pi / 2 * rotation / counts[2]
    centre = torch.linspace(-0.41, 0.41, counts[3])
    pixels = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y = (pixels - centre[across]) / radius, (centre[down] - pixels[:, None]) / radius
    cos, sin = angle.cos(), angle.sin()
    return shape(cos * x + sin * y, cos * y - sin * x).to(torch.uint8)
