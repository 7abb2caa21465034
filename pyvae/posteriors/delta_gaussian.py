"""A posterior that cannot collapse to the prior."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import softplus

from pyvae.distributions import DiagonalGaussian
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["DeltaGaussianPosterior"]


def logvar_at(kl: float) -> float:
    """The log-variance l <= 0 at which KL(N(0, exp(l)) || N(0, 1)) is so many nats.

    >>> round(logvar_at(0.5 * (math.exp(-3) - 1 + 3)), 12)
    -3.0
    """
    # (exp(l) - 1 - l) / 2 falls and is convex for l < 0: from the left, Newton's steps never pass
    logvar = -(1 + 2 * kl)
    while True:
        step = (math.expm1(logvar) - logvar - 2 * kl) / math.expm1(logvar)
        if logvar - step <= logvar:  # no progress in this precision
            return logvar
        logvar -= step


@posteriors.register("delta_gaussian")
class DeltaGaussianPosterior(Posterior):
    r"""q(z|x) = N(m(x), diag(v(x))), whose KL from N(0, I) is delta nats or more, for every x.

    .. math::
        v_d < v^*, \qquad \tfrac12 (v^* - 1 - \log v^*) = \delta / D, \quad v^* < 1

    The committed rate of Razavi, van den Oord, Poole & Vinyals 2019 (delta-VAE), section 2, for
    independent latents: each pays delta / D at least, whatever its mean, as its variance keeps away
    from the prior's. Of the two sides of 1 on which it may do so, this is the smaller: the
    posteriors of all data together can then still be N(0, I), so that samples of the prior mean
    something. The paper's own models are sequences with an autoregressive prior, which are not
    here.

    What is bounded is the KL, not what z tells of x: a decoder may ignore z and pay delta for
    nothing. It gains by not doing so. The prior must be ``standard_normal``; a learned one would
    follow the posterior.

    Args:
        in_features: the number of features
        latent_dim: D, the number of latents
        committed_rate: delta in nats per datum

    Raises:
        ValueError: a rate that is not positive.

    >>> import torch
    >>> from pyvae.distributions import StandardNormal
    >>> q = DeltaGaussianPosterior(64, 20, committed_rate=5.0)(torch.randn(3, 64))
    >>> bool((torch.distributions.kl_divergence(q, StandardNormal((20,))) > 5).all())
    True
    """

    priors = ("standard_normal",)

    def __init__(self, in_features: int, latent_dim: int, committed_rate: float = 1.0) -> None:
        super().__init__(in_features, latent_dim)
        if not 0 < committed_rate < math.inf:
            raise ValueError(
                f"delta_gaussian: committed_rate must be a positive number of nats, "
                f"got {committed_rate}"
            )
        self.largest_logvar = logvar_at(committed_rate / latent_dim)
        self.linear = nn.Linear(in_features, 2 * latent_dim)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        mean, below = self.linear(features).chunk(2, dim=-1)
        logvar = self.largest_logvar - softplus(below)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
