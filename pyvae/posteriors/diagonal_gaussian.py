"""The posterior of the original VAE."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae.distributions import DiagonalGaussian
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["DiagonalGaussianPosterior"]


@posteriors.register("diagonal_gaussian")
class DiagonalGaussianPosterior(Posterior):
    """q(z|x) = N(m(x), diag(exp(l(x)))), m and l linear in the features.

    Kingma & Welling 2014, eq. 9 and appendix C.2.

    Args:
        in_features: the number of features
        latent_dim: the number of latents

    >>> import torch
    >>> DiagonalGaussianPosterior(64, 20)(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__(in_features, latent_dim)
        self.linear = nn.Linear(in_features, 2 * latent_dim)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        mean, logvar = self.linear(features).chunk(2, dim=-1)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
