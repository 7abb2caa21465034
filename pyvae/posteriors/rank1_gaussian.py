"""A Gaussian with one direction of correlation."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae.distributions import Rank1Gaussian
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["Rank1GaussianPosterior"]


@posteriors.register("rank1_gaussian")
class Rank1GaussianPosterior(Posterior):
    """q(z|x) = N(m, (diag(exp(d)) + u u^T)^-1), with m, d and u linear in the features.

    Rezende et al. 2014, section 4.3 (deep latent Gaussian models).

    Args:
        in_features: the number of features
        latent_dim: the number of latents

    >>> import torch
    >>> Rank1GaussianPosterior(64, 20)(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__(in_features, latent_dim)
        self.linear = nn.Linear(in_features, 3 * latent_dim)

    def forward(self, features: Tensor) -> Rank1Gaussian:
        mean, log_precision, u = self.linear(features).chunk(3, dim=-1)
        return Rank1Gaussian(mean, log_precision, u, validate_args=False)
