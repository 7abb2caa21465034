"""Tractable inverse CDFs: z = F^-1(u) with u uniform on (0, 1)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pyvae.distributions.reparameterize.base import Reparameterization, uniform_noise

__all__ = [
    "cauchy",
    "exponential",
    "gompertz",
    "gumbel",
    "logistic",
    "pareto",
    "rayleigh",
    "reciprocal",
    "weibull",
]


def _family(*parameters: str) -> Callable[[Callable[..., Tensor]], Reparameterization]:
    def decorate(quantile: Callable[..., Tensor]) -> Reparameterization:
        return Reparameterization(parameters, uniform_noise, quantile)

    return decorate


@_family("rate")
def exponential(u: Tensor, rate: Tensor) -> Tensor:
    """F(z) = 1 - exp(-rate z)."""
    return -torch.log1p(-u) / rate


@_family("loc", "scale")
def cauchy(u: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """F(z) = 1/2 + arctan((z - loc) / scale) / pi."""
    return loc + scale * torch.tan(math.pi * (u - 0.5))


@_family("loc", "scale")
def logistic(u: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """F(z) = sigmoid((z - loc) / scale)."""
    return loc + scale * torch.logit(u)


@_family("scale")
def rayleigh(u: Tensor, scale: Tensor) -> Tensor:
    """F(z) = 1 - exp(-z^2 / (2 scale^2))."""
    return scale * torch.sqrt(-2 * torch.log1p(-u))


@_family("scale", "concentration")
def pareto(u: Tensor, scale: Tensor, concentration: Tensor) -> Tensor:
    """F(z) = 1 - (scale / z)^concentration for z >= scale."""
    return scale * torch.exp(-torch.log1p(-u) / concentration)


@_family("scale", "concentration")
def weibull(u: Tensor, scale: Tensor, concentration: Tensor) -> Tensor:
    """F(z) = 1 - exp(-(z / scale)^concentration)."""
    return scale * (-torch.log1p(-u)) ** (1 / concentration)


@_family("low", "high")
def reciprocal(u: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """F(z) = log(z / low) / log(high / low) for 0 < low <= z <= high."""
    return low * (high / low) ** u


@_family("shape", "rate")
def gompertz(u: Tensor, shape: Tensor, rate: Tensor) -> Tensor:
    """F(z) = 1 - exp(-shape (exp(rate z) - 1))."""
    return torch.log1p(-torch.log1p(-u) / shape) / rate


@_family("loc", "scale")
def gumbel(u: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """F(z) = exp(-exp(-(z - loc) / scale))."""
    return loc - scale * torch.log(-torch.log(u))
