"""Compositions: functions of auxiliary variables that have a reparameterization of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from pyvae.distributions.reparameterize.base import (
    Reparameterization,
    gaussian_noise,
    uniform_noise,
)
from pyvae.distributions.reparameterize.gamma import gamma_quantile

__all__ = ["beta", "chi_squared", "dirichlet", "erlang", "fisher_snedecor", "lognormal"]


def _lognormal(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    return torch.exp(loc + scale * eps)


def _gammas(u: Tensor, concentration: Tensor) -> Tensor:
    return gamma_quantile(u, concentration, torch.ones_like(concentration))


def _chi_squared(u: Tensor, df: Tensor) -> Tensor:
    return 2 * _gammas(u, df / 2)


def _beta(u: Tensor, first: Tensor, second: Tensor) -> Tensor:
    a, b = _gammas(u[0], first), _gammas(u[1], second)
    return a / (a + b)


def _dirichlet(u: Tensor, concentration: Tensor) -> Tensor:
    gammas = _gammas(u, concentration)
    return gammas / gammas.sum(-1, keepdim=True)


def _fisher_snedecor(u: Tensor, df1: Tensor, df2: Tensor) -> Tensor:
    return _chi_squared(u[0], df1) / df1 / (_chi_squared(u[1], df2) / df2)


#: The exponential of a Gaussian.
lognormal = Reparameterization(("loc", "scale"), gaussian_noise, _lognormal)
#: Twice a gamma variable of shape df / 2.
chi_squared = Reparameterization(("df",), uniform_noise, _chi_squared)
#: The share of one of two gamma variables.
beta = Reparameterization(("concentration1", "concentration0"), uniform_noise, _beta, draws=2)
#: The shares of gamma variables along the last dimension.
dirichlet = Reparameterization(("concentration",), uniform_noise, _dirichlet)
#: The ratio of two chi-squared variables, each over its degrees of freedom.
fisher_snedecor = Reparameterization(("df1", "df2"), uniform_noise, _fisher_snedecor, draws=2)


def erlang(shape: int) -> Reparameterization:
    """Gamma variables of a whole shape: the sum of so many exponential ones.

    Args:
        shape: how many, at least 1

    >>> import torch
    >>> erlang(3)(torch.ones(2), sample_shape=(5,)).shape
    torch.Size([5, 2])
    """
    if shape < 1 or shape != int(shape):
        raise ValueError(f"erlang: shape must be a whole number of at least 1, got {shape}")

    def total(u: Tensor, rate: Tensor) -> Tensor:
        return -torch.log1p(-u).sum(0) / rate

    return Reparameterization(("rate",), uniform_noise, total, draws=int(shape))
