"""A Gaussian prior that is learned."""

from __future__ import annotations

import torch
from torch import nn

from pyvae.distributions import DiagonalGaussian
from pyvae.priors.base import Prior
from pyvae.registry import priors

__all__ = ["DiagonalGaussianPrior"]


@priors.register("diagonal_gaussian")
class DiagonalGaussianPrior(Prior):
    """p(z) = N(m, diag(exp(l))) with m and l learned, both 0 at the start.

    Args:
        latent_dim: the number of latents

    >>> DiagonalGaussianPrior(20)().event_shape
    torch.Size([20])
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.mean = nn.Parameter(torch.zeros(latent_dim))
        self.logvar = nn.Parameter(torch.zeros(latent_dim))

    def forward(self) -> DiagonalGaussian:
        return DiagonalGaussian(self.mean, self.logvar, event_ndim=1, validate_args=False)
