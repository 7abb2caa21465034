"""Location and scale: z = loc + scale * eps with eps of the standard member of the family."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from pyvae.distributions.reparameterize.base import (
    Reparameterization,
    gaussian_noise,
    source,
    uniform_noise,
)

__all__ = ["gaussian", "laplace", "student_t", "triangular", "uniform"]


def _location_scale(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    return loc + scale * eps


def _laplace_noise(shape: Sequence[int], like: Tensor, generator: Generator | None) -> Tensor:
    """p(eps) = exp(-|eps|) / 2."""
    u = 2 * uniform_noise(shape, like, generator) - 1
    return -u.sign() * torch.log1p(-u.abs())


def _triangular_noise(shape: Sequence[int], like: Tensor, generator: Generator | None) -> Tensor:
    """p(eps) = 1 - |eps| on [-1, 1], as a sum of two uniform variables."""
    return uniform_noise((2, *shape), like, generator).sum(0) - 1


def _between(u: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return low + (high - low) * u


gaussian = Reparameterization(("loc", "scale"), gaussian_noise, _location_scale)
laplace = Reparameterization(("loc", "scale"), _laplace_noise, _location_scale)
triangular = Reparameterization(("loc", "scale"), _triangular_noise, _location_scale)
uniform = Reparameterization(("low", "high"), uniform_noise, _between)


def student_t(df: float) -> Reparameterization:
    """Student's t with fixed degrees of freedom: a normal over the root of a chi-squared / df.

    Args:
        df: degrees of freedom, positive

    >>> import torch
    >>> student_t(4.0)(torch.zeros(3), torch.ones(3), sample_shape=(2,)).shape
    torch.Size([2, 3])
    """
    if not df > 0:
        raise ValueError(f"student_t: df must be positive, got {df}")

    def noise(shape: Sequence[int], like: Tensor, generator: Generator | None) -> Tensor:
        half = torch.full(tuple(shape), df / 2, dtype=like.dtype, device=like.device)
        mean_square: Tensor = torch._standard_gamma(half, **source(generator)) / half
        eps: Tensor = gaussian_noise(shape, like, generator) / mean_square.sqrt()
        return eps

    return Reparameterization(("loc", "scale"), noise, _location_scale)
