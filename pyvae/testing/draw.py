"""How arguments of an op are drawn: functions of a shape and a generator, in float64.

They are drawn on the generator's device.

Example:
    >>> import torch
    >>> bool((positive((2, 3), torch.Generator().manual_seed(0)) > 0).all())
    True
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Shape = tuple[int, ...]
Draw = Callable[[Shape, Generator], Tensor]


def normal(shape: Shape, generator: Generator) -> Tensor:
    """Standard normal."""
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)


def uniform(shape: Shape, generator: Generator) -> Tensor:
    """From 0 to 1."""
    return torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)


def logits(shape: Shape, generator: Generator) -> Tensor:
    """Normal with a standard deviation of 3."""
    return 3 * normal(shape, generator)


def positive(shape: Shape, generator: Generator) -> Tensor:
    """Log-normal."""
    return normal(shape, generator).exp()


def counts(shape: Shape, generator: Generator) -> Tensor:
    """Some zeros, most below ten."""
    return torch.poisson(3 * positive(shape, generator), generator)


def levels(shape: Shape, generator: Generator) -> Tensor:
    """Of a pixel, among them many that are black or white."""
    drawn = torch.randint(-64, 320, shape, generator=generator, device=generator.device)
    return drawn.clamp(0, 255).to(torch.uint8)


def scaled_levels(shape: Shape, generator: Generator) -> Tensor:
    """Levels of a pixel as its places from -1 to 1."""
    return levels(shape, generator).double() / 127.5 - 1


def weight(shape: Shape, generator: Generator) -> Tensor:
    """0.7."""
    return torch.full(shape, 0.7, dtype=torch.float64, device=generator.device)


def index(classes: int) -> Draw:
    """Draws of 0, 1, ..., ``classes - 1``."""
    return lambda shape, generator: torch.randint(
        classes, shape, generator=generator, device=generator.device
    )


def noise_seed(shape: Shape, generator: Generator) -> Tensor:
    """A seed that fills both words of the key."""
    return torch.randint(-(2**63), 2**63 - 1, shape, generator=generator, device=generator.device)
