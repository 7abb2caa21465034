"""A Gaussian with full covariance."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["FullGaussianPosterior"]


@posteriors.register("full_gaussian")
class FullGaussianPosterior(Posterior):
    """q(z|x) = N(m, L L^T), with m, the lower triangle of L and its log-diagonal from the features.

    Kingma & Welling 2019, section 2.5.1.

    Args:
        in_features: the number of features
        latent_dim: the number of latents

    >>> FullGaussianPosterior(64, 20)(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__(in_features, latent_dim)
        below = latent_dim * (latent_dim - 1) // 2
        self.linear = nn.Linear(in_features, 2 * latent_dim + below)

    def forward(self, features: Tensor) -> MultivariateNormal:
        d = self.latent_dim
        mean, log_diagonal, below = self.linear(features).split(
            [d, d, self.linear.out_features - 2 * d], dim=-1
        )
        lower = torch.diag_embed(log_diagonal.exp())
        row, column = torch.tril_indices(d, d, offset=-1, device=features.device)
        lower[..., row, column] = below
        return MultivariateNormal(mean, scale_tril=lower, validate_args=False)
