"""How arguments of an op are drawn, in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Shape = tuple[int, ...]
Draw = Callable[[Shape, Generator], Tensor]


def normal(shape: Shape, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(shape: Shape, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def logits(shape: Shape, generator: Generator) -> Tensor:
    return 3 * normal(shape, generator)


def positive(shape: Shape, generator: Generator) -> Tensor:
    return normal(shape, generator).exp()


def counts(shape: Shape, generator: Generator) -> Tensor:
    """Some zeros, most below ten."""
    return torch.poisson(3 * positive(shape, generator), generator)


def levels(shape: Shape, generator: Generator) -> Tensor:
    """Of a pixel, among them many that are black or white."""
    drawn = torch.randint(-64, 320, shape, generator=generator)
    return drawn.clamp(0, 255).to(torch.uint8)


def scaled_levels(shape: Shape, generator: Generator) -> Tensor:
    return levels(shape, generator).double() / 127.5 - 1


def weight(shape: Shape, generator: Generator) -> Tensor:
    return torch.full(shape, 0.7, dtype=torch.float64)


def noise_seed(shape: Shape, generator: Generator) -> Tensor:
    """A seed that fills both words of the key."""
    return torch.randint(-(2**63), 2**63 - 1, shape, generator=generator)
