"""The factors of distributions of independent variables."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.gaussian import DiagonalGaussian
from pyvae.distributions.one_hot import OneHot

__all__ = ["factor_kl", "factors"]


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


def factor_kl(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p) of each independent variable (*batch, D); their sum over D is that of the whole.

    Args:
        q, p: distributions over one event shape, the batch shape of p () or that of q

    Raises:
        NotImplementedError: the variables depend on each other, or no closed form is known.

    >>> import torch
    >>> from pyvae.distributions import StandardNormal
    >>> q = DiagonalGaussian(torch.tensor([[0.0, 1.0, 2.0]]), torch.zeros(1, 3))
    >>> factor_kl(q, StandardNormal((3,)))
    tensor([[0.0000, 0.5000, 2.0000]])
    """
    q_each, p_each = factors(q), factors(p)
    if q_each is None or p_each is None:
        raise NotImplementedError(
            f"factor_kl: the variables of {type(q if q_each is None else p).__name__} depend on "
            f"each other"
        )
    return kl_divergence(q_each, p_each)
