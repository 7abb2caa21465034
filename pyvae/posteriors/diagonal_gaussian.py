"""The posterior of the original VAE."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
        latent_shape: (channels, *grid) of latents on the grid of the features: m and l at a place
            are linear in the features of that place

    Raises:
        ValueError: features that are not so many for each place of the grid.

    >>> import torch
    >>> DiagonalGaussianPosterior(64, 20)(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    def __init__(
        self, in_features: int, latent_dim: int, latent_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__(in_features, latent_dim)
        self.latent_shape = None if latent_shape is None else tuple(latent_shape)
        places = 1 if self.latent_shape is None else math.prod(self.latent_shape[1:])
        if in_features % places:
            raise ValueError(
                f"diagonal_gaussian posterior: {in_features} features are not so many for each of "
                f"the {places} places of latent_shape {self.latent_shape}"
            )
        self.linear = nn.Linear(in_features // places, 2 * latent_dim // places)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        if self.latent_shape is None:
            mean, logvar = self.linear(features).chunk(2, dim=-1)
        else:
            each = features.unflatten(-1, (self.linear.in_features, -1)).transpose(-1, -2)
            mean, logvar = self.linear(each).transpose(-1, -2).flatten(-2).chunk(2, dim=-1)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
