"""A mixture of the model's own posteriors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from pyvae.distributions import DiagonalGaussian, GaussianMixture
from pyvae.priors.base import Host, Prior
from pyvae.registry import priors

__all__ = ["VampPrior"]


@priors.register("vampprior")
class VampPrior(Prior):
    """p(z) = 1/K sum_k q(z|u_k), the posteriors of K pseudo-inputs u that are learned.

    Tomczak & Welling 2018, eq. 9. The pseudo-inputs lie in the space of what the encoder sees, kept
    to [0, 1] for data that do; they start at data, where the model is given some
    (:meth:`pyvae.VAE.init_prior`, which ``pyvae train`` calls).

    Args:
        latent_dim: the number of latents
        components: K
        init: "rows" starts at random data, "mean" at the mean of the data with noise
        noise: the standard deviation of that noise, as a share of the data's own

    Raises:
        ValueError: fewer than one component, an unknown start, or negative noise.

    >>> from pyvae import VAE
    >>> VAE((1, 8, 8), 2, prior="vampprior", prior_args={"components": 5}).prior().means.shape
    torch.Size([5, 2])
    """

    pseudo_inputs: Tensor

    def __init__(
        self, latent_dim: int, components: int = 50, init: str = "rows", noise: float = 0.1
    ) -> None:
        super().__init__(latent_dim)
        if components < 1 or init not in ("rows", "mean") or noise < 0:
            raise ValueError(
                f"vampprior: components must be at least 1, init 'rows' or 'mean', noise not "
                f"negative, got {components}, {init!r} and {noise}"
            )
        self.components, self.init, self.noise = components, init, noise
        self._parts: tuple[nn.Module, nn.Module] | None = None
        self._unit = False

    def bind(self, model: Host) -> None:
        """Take encoder and posterior of the model, and make the pseudo-inputs.

        Raises:
            ValueError: the encoder needs more than x, which pseudo-inputs do not have.
        """
        if model.encoder_inputs:
            raise ValueError(
                f"vampprior: its components are q(z|u) of pseudo-inputs u alone, and the encoder "
                f"takes {' and '.join(model.encoder_inputs)} besides; use standard_normal, "
                f"mixture_of_gaussians, flow, or conditional_gaussian"
            )
        self._parts = (model.encoder, model.posterior)
        self._unit = model.likelihood.data_range.unit
        start = torch.randn(self.components, *model.data_shape)
        start = (0.5 + self.noise * start).clamp(0, 1) if self._unit else self.noise * start
        self.pseudo_inputs = nn.Parameter(start)

    def init_from_data(self, x: Tensor) -> None:
        """Start at random rows of x (N, *data_shape), or at their mean with noise."""
        with torch.no_grad():
            if self.init == "rows":
                rows = torch.randint(len(x), (self.components,), device=x.device)
                if self.components <= len(x):
                    rows = torch.randperm(len(x), device=x.device)[: self.components]
                start = x[rows]
            else:
                around = self.noise * x.std(0, correction=0)
                start = x.mean(0) + around * torch.randn_like(self.pseudo_inputs)
            self.pseudo_inputs.copy_(start.clamp(0, 1) if self._unit else start)

    def forward(self) -> Distribution:
        if self._parts is None:
            raise RuntimeError("vampprior: it must be part of a model before it can be called")
        encoder, posterior = self._parts
        u = self.pseudo_inputs.clamp(0, 1) if self._unit else self.pseudo_inputs
        q: Distribution = posterior(encoder(u))
        if isinstance(q, DiagonalGaussian):
            return GaussianMixture(q.mean, q.logvar, validate_args=False)
        equal = torch.zeros(self.components, dtype=u.dtype, device=u.device)
        return MixtureSameFamily(Categorical(logits=equal, validate_args=False), q, False)
