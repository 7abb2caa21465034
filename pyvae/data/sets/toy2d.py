"""Points of the plane from densities with holes, arms and corners."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from pyvae.data.base import DataSplits, Split, shuffled
from pyvae.errors import DataError
from pyvae.registry import datasets

__all__ = ["toy2d"]


def _ring(n: int, g: Generator) -> Tensor:
    """x = z / 10 + z / |z| with z ~ N(0, I)."""
    z = torch.randn(n, 2, generator=g)
    x: Tensor = z / 10 + z / z.norm(dim=1, keepdim=True)
    return x


def _two_moons(n: int, g: Generator) -> Tensor:
    """Two half circles, the second turned and moved, with noise of 0.1."""
    angle = math.pi * torch.rand(n, generator=g)
    lower = torch.rand(n, generator=g) < 0.5
    across = torch.where(lower, 1 - angle.cos(), angle.cos())
    up = torch.where(lower, 0.5 - angle.sin(), angle.sin())
    return torch.stack([across, up], 1) + 0.1 * torch.randn(n, 2, generator=g)


def _pinwheel(n: int, g: Generator) -> Tensor:
    """Five arms, each a Gaussian along a ray, turned by e^radius / 4 (Johnson et al. 2016)."""
    arm = torch.randint(5, (n,), generator=g)
    radial = 1 + 0.3 * torch.randn(n, generator=g)
    tangential = 0.1 * torch.randn(n, generator=g)
    angle = 2 * math.pi / 5 * arm + 0.25 * radial.exp()
    cos, sin = angle.cos(), angle.sin()
    return 2 * torch.stack([cos * radial - sin * tangential, sin * radial + cos * tangential], 1)


def _eight_gaussians(n: int, g: Generator) -> Tensor:
    """Eight Gaussians of standard deviation 0.2 on a circle of radius 2."""
    angle = 2 * math.pi / 8 * torch.randint(8, (n,), generator=g)
    centre = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    return centre + 0.2 * torch.randn(n, 2, generator=g)


def _checkerboard(n: int, g: Generator) -> Tensor:
    """Uniform on the dark squares of a board of 4 x 4 unit squares around the origin."""
    column = torch.randint(4, (n,), generator=g)
    row = 2 * torch.randint(2, (n,), generator=g) + column % 2
    return torch.stack([column, row], 1) - 2 + torch.rand(n, 2, generator=g)


DENSITIES: dict[str, Callable[[int, Generator], Tensor]] = {
    "ring": _ring,
    "two_moons": _two_moons,
    "pinwheel": _pinwheel,
    "eight_gaussians": _eight_gaussians,
    "checkerboard": _checkerboard,
}


@datasets.register("toy2d")
def toy2d(
    *,
    data_dir: str | os.PathLike[str] | None = None,
    name: str = "ring",
    n: int = 10_000,
    seed: int = 0,
) -> DataSplits:
    """Points of the plane: ring, two_moons, pinwheel, eight_gaussians or checkerboard.

    The ring is x = z / 10 + z / |z| of a normal z (Doersch 2016, figure 2).

    Args:
        data_dir: ignored
        name: which density
        n: how many points, split 80 / 10 / 10 per cent
        seed: of the points, which depend on nothing else

    Raises:
        DataError: an unknown density, or too few points.
    """
    if name not in DENSITIES:
        raise DataError(f"toy2d: unknown name {name!r}. Choices: {', '.join(DENSITIES)}")
    if n < 10:
        raise DataError(f"toy2d: n must be at least 10, got {n}")
    x = DENSITIES[name](n, torch.Generator().manual_seed(seed))
    held = n // 10
    return DataSplits("toy2d", *shuffled(Split(x), (n - 2 * held, held, held)))
