"""The factors of distributions of independent variables."""

from __future__ import annotations

from torch.distributions import Distribution, Independent

from pyvae.distributions import Bernoulli, DiagonalGaussian, OneHot

__all__ = ["factors"]


def factors(distribution: Distribution) -> Distribution | None:
    """The same distribution with each independent variable an event of its own.

    The batch shape gains one dimension, of latents or of groups of classes. None if the variables
    depend on each other.
    """
    if isinstance(distribution, DiagonalGaussian):
        mean, logvar = distribution.mean, distribution.logvar
        return DiagonalGaussian(mean, logvar, event_ndim=0, validate_args=False)
    if isinstance(distribution, Bernoulli):
        return Bernoulli(logits=distribution.logits, event_ndim=0, validate_args=False)
    if isinstance(distribution, OneHot):
        return OneHot(distribution.logits.unsqueeze(-2), validate_args=False)
    if isinstance(distribution, Independent):
        each: Distribution = distribution.base_dist
        return each
    return None if distribution.event_shape else distribution
