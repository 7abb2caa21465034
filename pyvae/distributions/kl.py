"""A sample and its KL divergence together."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.rank1_gaussian import Rank1Gaussian
from pyvae.functional import gaussian_rsample_kl, rank1_gaussian_rsample_kl

__all__ = ["rsample_kl"]


def rsample_kl(
    q: Distribution, p: Distribution, sample_shape: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """A reparameterized sample z of q and KL(q || p), in one pass where there is an op for both.

    The values are those of ``q.rsample(sample_shape)`` and ``kl_divergence(q, p)``.

    Args:
        q, p: distributions over one event shape, the batch shape of p () or that of q
        sample_shape: leading dimensions of z

    Raises:
        NotImplementedError: no closed form of the divergence is known, or q has no rsample.

    >>> import torch
    >>> q = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> z, kl = rsample_kl(q, StandardNormal((2,)))
    >>> z.shape, kl
    (torch.Size([3, 2]), tensor([0., 0., 0.]))
    """
    if (
        isinstance(p, StandardNormal)
        and not sample_shape
        and q.event_shape == p.event_shape
        and p.batch_shape in ((), q.batch_shape)
    ):
        n = len(q.batch_shape)
        if isinstance(q, DiagonalGaussian):
            return gaussian_rsample_kl(q.mean, q._logvar, batch_ndim=n)
        if isinstance(q, Rank1Gaussian):
            return rank1_gaussian_rsample_kl(q.mean, q.log_precision, q.u, batch_ndim=n)
    return q.rsample(tuple(sample_shape)), kl_divergence(q, p)
