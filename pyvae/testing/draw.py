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


def weight(shape: Shape, generator: Generator) -> Tensor:
    return torch.full(shape, 0.7, dtype=torch.float64)


def index(classes: int) -> Draw:
    return lambda shape, generator: torch.randint(classes, shape, generator=generator)


def noise_seed(shape: Shape, generator: Generator) -> Tensor:
    """A seed that fills both words of the key."""
    return torch.randint(-(2**63), 2**63 - 1, shape, generator=generator)
