"""The prior of the original VAE."""

from __future__ import annotations

import torch
from torch import Tensor

from pyvae.distributions import StandardNormal
from pyvae.priors.base import Prior
from pyvae.registry import priors

__all__ = ["StandardNormalPrior"]


@priors.register("standard_normal")
class StandardNormalPrior(Prior):
    """p(z) = N(0, I) (Kingma & Welling 2014, section 3). Nothing to learn.

    Args:
        latent_dim: the number of latents

    >>> StandardNormalPrior(20)().event_shape
    torch.Size([20])
    """

    where: Tensor  # holds the dtype and device that .to() gives

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.register_buffer("where", torch.empty(0), persistent=False)

    def forward(self) -> StandardNormal:
        where = self.where
        return StandardNormal(
            (self.latent_dim,), dtype=where.dtype, device=where.device, validate_args=False
        )
