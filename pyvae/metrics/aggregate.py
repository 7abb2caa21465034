"""What the posteriors of all data together say: the aggregated posterior q(z)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import DiagonalGaussian
from pyvae.functional import gaussian_log_prob, gaussian_mixture_log_prob, mmd

__all__ = ["Aggregate", "aggregate_figures", "prior_mmd"]


@dataclass(frozen=True)
class Aggregate:
    """The two parts of the rate: rate = mutual_information + marginal_kl, in nats.

    Args:
        mutual_information: I(x; z) under q, E log q(z|x) - log q(z)
        marginal_kl: KL(q(z) || p(z))
        total_correlation: E log q(z) - sum_d log q(z_d): how far the latents are from independent
        points: over how many samples z
    """

    mutual_information: float
    marginal_kl: float
    total_correlation: float
    points: int


@dataclass
class Posteriors:
    """One sample of each posterior, gathered a batch at a time; of diagonal Gaussians all."""

    means: list[Tensor] = field(default_factory=list)
    logvars: list[Tensor] = field(default_factory=list)
    samples: list[Tensor] = field(default_factory=list)

    def add(self, q: Distribution, z: Tensor) -> None:
        """Take in q(z|x) and samples z (B, D)."""
        self.samples.append(z.detach())
        if isinstance(q, DiagonalGaussian) and len(q.event_shape) == 1:
            self.means.append(q.mean.detach())
            self.logvars.append(q.logvar.detach())

    def figures(self, p: Distribution, points: int) -> Aggregate | None:
        """The figures over so many random samples; None for others than diagonal Gaussians."""
        if not self.means:
            return None
        means, logvars = torch.cat(self.means), torch.cat(self.logvars)
        return aggregate_figures(means, logvars, torch.cat(self.samples), p, points)

    def mmd(self, p: Distribution) -> float | None:
        """The discrepancy of the samples from the prior; None with less than two of them."""
        z = torch.cat(self.samples)
        return prior_mmd(z, p) if len(z) > 1 else None


@torch.no_grad()
def aggregate_figures(
    means: Tensor, logvars: Tensor, samples: Tensor, prior: Distribution, points: int
) -> Aggregate:
    r"""Mutual information, total correlation and marginal KL of diagonal Gaussian posteriors.

    .. math:: q(z) = \frac1N \sum_n N(z; m_n, e^{l_n})

    over all data, at some of the samples: no estimate from a minibatch. With N data the mutual
    information cannot exceed log N. Hoffman & Johnson 2016; Chen et al. 2018, eq. 2.

    Args:
        means, logvars: of q(z|x_n), (N, D)
        samples: one of each, (N, D)
        prior: p(z)
        points: how many of the samples, chosen at random, to average over

    >>> from pyvae.distributions import StandardNormal
    >>> zeros = torch.zeros(50, 2)
    >>> found = aggregate_figures(zeros, zeros, torch.randn(50, 2), StandardNormal((2,)), 50)
    >>> abs(found.mutual_information) < 1e-5, abs(found.marginal_kl) < 1e-5
    (True, True)
    """
    points = min(points, len(samples))
    chosen = torch.randperm(len(samples), device=samples.device)[:points]
    z = samples[chosen]
    own = gaussian_log_prob(z, means[chosen], logvars[chosen]).double()
    whole = gaussian_mixture_log_prob(z, means, logvars).double()
    each = gaussian_mixture_log_prob(z, means, logvars, per_dimension=True).double().sum(-1)
    return Aggregate(
        mutual_information=float((own - whole).mean()),
        marginal_kl=float((whole - prior.log_prob(z).double()).mean()),
        total_correlation=float((whole - each).mean()),
        points=points,
    )


@torch.no_grad()
def prior_mmd(z: Tensor, prior: Distribution, points: int = 10_000) -> float:
    r"""The squared maximum mean discrepancy of samples z of q(z) and as many samples of p(z).

    The unbiased estimate, which is around 0 and may be negative where they agree, with the kernel
    exp(-\|a - b\|^2 / 2 D): that of the objectives infovae and mmd_vae by default. Gretton et al.
    2012; Zhao, Song & Ermon 2017.

    Args:
        z: one sample for each datum, (N, D), N at least 2
        prior: p(z), with batch shape ()
        points: no more than so many of the samples are looked at, the first

    >>> from pyvae.distributions import StandardNormal
    >>> prior = StandardNormal((2,))
    >>> abs(prior_mmd(torch.randn(1000, 2), prior)) < 0.01 < prior_mmd(torch.zeros(9, 2), prior)
    True
    """
    z = z[:points].flatten(1)
    of_prior = prior.sample(z.shape[:1]).flatten(1).to(z.dtype)
    return float(mmd(z, of_prior, scales=(math.sqrt(z.shape[1]),), unbiased=True))
