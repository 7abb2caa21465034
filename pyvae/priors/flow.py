"""Priors that a flow makes of the normal distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.distributions import FlowDistribution, StandardNormal
from pyvae.flows import Inverted, ZukoBijection, autoregressive_maps
from pyvae.priors.base import Prior
from pyvae.registry import priors

__all__ = ["AutoregressivePrior", "FlowPrior"]


class _Flow(Prior):
    """Maps from z to the normal distribution; sampling goes the slow way, a pass for each latent.

    Args:
        latent_dim: the number of latents
    """

    where: Tensor  # holds the dtype and device that .to() gives

    def __init__(
        self, latent_dim: int, transforms: int, hidden: Sequence[int], bins: int | None
    ) -> None:
        super().__init__(latent_dim)
        self.maps = autoregressive_maps(latent_dim, transforms=transforms, hidden=hidden, bins=bins)
        self.register_buffer("where", torch.empty(0), persistent=False)

    def forward(self) -> FlowDistribution:
        base = StandardNormal(
            (self.latent_dim,),
            dtype=self.where.dtype,
            device=self.where.device,
            validate_args=False,
        )
        maps = [Inverted(ZukoBijection(lazy(None))) for lazy in self.maps]
        return FlowDistribution(base, maps[::-1])


@priors.register("flow")
class FlowPrior(_Flow):
    """p(z) as a neural spline flow of the normal distribution, learned; needs zuko.

    Monotone splines, each latent's given those before (Durkan et al. 2019; as a prior: Chen et al.
    2017).

    Args:
        latent_dim: the number of latents
        transforms: how many maps
        hidden: the width of each hidden layer of a map's network
        bins: of each spline

    Raises:
        ImportError: zuko is not installed.

    >>> FlowPrior(4)().sample((3,)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        latent_dim: int,
        transforms: int = 3,
        hidden: Sequence[int] = (64, 64),
        bins: int = 8,
    ) -> None:
        super().__init__(latent_dim, transforms, hidden, bins)


@priors.register("autoregressive")
class AutoregressivePrior(_Flow):
    """p(z) = prod_d N(z_d; m(z_<d), s(z_<d)^2), with one masked network for all; needs zuko.

    Germain et al. 2015 (MADE), eq. 9, for real variables.

    Args:
        latent_dim: the number of latents
        hidden: the width of each hidden layer of the network

    Raises:
        ImportError: zuko is not installed.

    >>> AutoregressivePrior(4)().log_prob(torch.zeros(3, 4)).shape
    torch.Size([3])
    """

    def __init__(self, latent_dim: int, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__(latent_dim, 1, hidden, None)
