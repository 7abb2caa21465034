"""A mixture of Gaussians."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae.distributions import GaussianMixture
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["MixtureOfGaussiansPosterior"]


@posteriors.register("mixture_of_gaussians")
class MixtureOfGaussiansPosterior(Posterior):
    """q(z|x) = sum_k w_k N(m_k, diag(exp(l_k))), all linear in the features.

    Samples have exact pathwise gradients (see :class:`pyvae.distributions.GaussianMixture`); the KL
    from the prior is estimated from samples.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        components: K

    Raises:
        ValueError: fewer than one component.

    >>> import torch
    >>> MixtureOfGaussiansPosterior(64, 20, components=3)(torch.zeros(5, 64)).means.shape
    torch.Size([5, 3, 20])
    """

    def __init__(self, in_features: int, latent_dim: int, components: int = 4) -> None:
        super().__init__(in_features, latent_dim)
        if components < 1:
            raise ValueError(
                f"mixture_of_gaussians posterior: components must be at least 1, got {components}"
            )
        self.components = components
        self.linear = nn.Linear(in_features, components * (2 * latent_dim + 1))

    def forward(self, features: Tensor) -> GaussianMixture:
        k, d = self.components, self.latent_dim
        means, logvars, log_weights = self.linear(features).split([k * d, k * d, k], dim=-1)
        means, logvars = means.unflatten(-1, (k, d)), logvars.unflatten(-1, (k, d))
        return GaussianMixture(means, logvars, log_weights, validate_args=False)
