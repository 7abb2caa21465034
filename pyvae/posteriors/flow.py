"""Posteriors that a flow, given the encoder's features, makes of a diagonal Gaussian."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from pyvae.distributions import Bijection, DiagonalGaussian, FlowDistribution, Planar
from pyvae.flows import ZukoBijection, autoregressive_maps
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["IAFPosterior", "PlanarPosterior", "SplinePosterior"]


class _Flow(Posterior, ABC):
    """z_0 of a Gaussian linear in the features, then maps that depend on the features too.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
    """

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__(in_features, latent_dim)
        self.linear = nn.Linear(in_features, 2 * latent_dim)

    def forward(self, features: Tensor) -> FlowDistribution:
        mean, logvar = self.linear(features).chunk(2, dim=-1)
        base = DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
        return FlowDistribution(base, self._bijections(features))

    @abstractmethod
    def _bijections(self, features: Tensor) -> Sequence[Bijection]:
        """The maps at features (*batch, in_features)."""


class _Zuko(_Flow, ABC):
    maps: nn.ModuleList

    def _bijections(self, features: Tensor) -> Sequence[Bijection]:
        return [ZukoBijection(lazy(features)) for lazy in self.maps]


@posteriors.register("iaf")
class IAFPosterior(_Zuko):
    """q(z|x) by inverse autoregressive flow: affine maps, each latent's given those before.

    Kingma et al. 2016. Sampling, with the density of the sample, takes one pass for each map; the
    density of another z a pass for each latent. The KL from the prior is estimated from
    samples. Needs zuko.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        transforms: how many maps, in alternating order
        hidden: the width of each hidden layer of a map's network

    Raises:
        ImportError: zuko is not installed.

    >>> import torch
    >>> IAFPosterior(64, 20)(torch.zeros(3, 64)).rsample().shape
    torch.Size([3, 20])
    """

    def __init__(
        self,
        in_features: int,
        latent_dim: int,
        transforms: int = 2,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__(in_features, latent_dim)
        self.maps = autoregressive_maps(
            latent_dim, context=in_features, transforms=transforms, hidden=hidden
        )


@posteriors.register("spline")
class SplinePosterior(_Zuko):
    """q(z|x) by neural spline coupling: half of the latents move by splines given the other half.

    Durkan et al. 2019. Fast both ways. The KL from the prior is estimated from samples.
    Needs zuko.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        transforms: how many maps, which take turns with the halves
        hidden: the width of each hidden layer of a map's network
        bins: of each spline

    Raises:
        ImportError: zuko is not installed.

    >>> import torch
    >>> SplinePosterior(64, 20)(torch.zeros(3, 64)).rsample().shape
    torch.Size([3, 20])
    """

    def __init__(
        self,
        in_features: int,
        latent_dim: int,
        transforms: int = 2,
        hidden: Sequence[int] = (128,),
        bins: int = 8,
    ) -> None:
        super().__init__(in_features, latent_dim)
        self.maps = autoregressive_maps(
            latent_dim,
            context=in_features,
            transforms=transforms,
            hidden=hidden,
            bins=bins,
            coupling=True,
        )


@posteriors.register("planar")
class PlanarPosterior(_Flow):
    """q(z|x) by planar flow: pushes along directions that are linear in the features.

    Rezende & Mohamed 2015, section 4.1. The KL from the prior is estimated from samples.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        transforms: how many maps

    Raises:
        ValueError: fewer than one map.

    >>> import torch
    >>> PlanarPosterior(64, 20)(torch.zeros(3, 64)).rsample().shape
    torch.Size([3, 20])
    """

    def __init__(self, in_features: int, latent_dim: int, transforms: int = 8) -> None:
        super().__init__(in_features, latent_dim)
        if transforms < 1:
            raise ValueError(f"planar posterior: transforms must be at least 1, got {transforms}")
        self.transforms = transforms
        self.maps = nn.Linear(in_features, transforms * (2 * latent_dim + 1))

    def _bijections(self, features: Tensor) -> Sequence[Bijection]:
        d = self.latent_dim
        maps = self.maps(features).chunk(self.transforms, dim=-1)
        return [Planar(m[..., :d], m[..., d : 2 * d], m[..., 2 * d]) for m in maps]
