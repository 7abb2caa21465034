"""A mixture of Gaussians that is learned."""

from __future__ import annotations

import torch
from torch import nn

from pyvae.distributions import GaussianMixture
from pyvae.priors.base import Prior
from pyvae.registry import priors

__all__ = ["MixtureOfGaussiansPrior"]


@priors.register("mixture_of_gaussians")
class MixtureOfGaussiansPrior(Prior):
    """p(z) = sum_k w_k N(m_k, diag(exp(l_k))), with means, log-variances and weights learned.

    Nalisnick et al. 2016. Weights and variances start equal, the means as normal variables.

    Args:
        latent_dim: the number of latents
        components: K
        spread: the standard deviation of the means at the start

    Raises:
        ValueError: fewer than one component, or a spread that is not positive.

    >>> MixtureOfGaussiansPrior(20, components=5)().means.shape
    torch.Size([5, 20])
    """

    def __init__(self, latent_dim: int, components: int = 10, spread: float = 1.0) -> None:
        super().__init__(latent_dim)
        if components < 1 or not spread > 0:
            raise ValueError(
                f"mixture_of_gaussians prior: components must be at least 1 and spread positive, "
                f"got {components} and {spread}"
            )
        self.means = nn.Parameter(spread * torch.randn(components, latent_dim))
        self.logvars = nn.Parameter(torch.zeros(components, latent_dim))
        self.log_weights = nn.Parameter(torch.zeros(components))

    def forward(self) -> GaussianMixture:
        return GaussianMixture(self.means, self.logvars, self.log_weights, validate_args=False)
