"""A sample and its KL divergence together, and divergences between families."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

from pyvae.distributions import twins as _twins  # registers divergences  # noqa: F401
from pyvae.distributions.base import one_event, precise
from pyvae.distributions.chain import Chain
from pyvae.distributions.divergence import closed_form, divergence
from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.distributions.rank1_gaussian import Rank1Gaussian
from pyvae.functional import gaussian_rsample_kl, rank1_gaussian_rsample_kl

__all__ = ["rsample_kl"]


def rsample_kl(
    q: Distribution, p: Distribution, sample_shape: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """A reparameterized sample z of q and KL(q || p), in one pass where there is an op for both.

    The values are those of ``q.rsample(sample_shape)`` and ``kl_divergence(q, p)``. Of chains over
    the same layers in the same order, the divergence of each layer is that given the sample of the
    one before it, (*sample_shape, *batch): the mean over samples is that of the whole.

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
    if isinstance(q, Chain) and isinstance(p, Chain) and _one_order(q, p):
        return _rsample_kl_of_chains(q, p, sample_shape)
    kl = divergence(q, p)  # before a sample is drawn: it may not be known
    return q.rsample(tuple(sample_shape)), kl


def _one_order(q: Chain, p: Chain) -> bool:
    """Whether the layers are the same and drawn in the same order; a single one has no order."""
    return q.sizes == p.sizes and (q.reverse == p.reverse or not q.layers)


def _rsample_kl_of_chains(q: Chain, p: Chain, sample_shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    unit, kl = rsample_kl(q.first, p.first, sample_shape)
    drawn = [unit]
    for q_layer, p_layer in zip(q.layers, p.layers, strict=True):
        unit, more = rsample_kl(q_layer(drawn[-1]), p_layer(drawn[-1]))
        kl = kl + more
        drawn.append(unit)
    return q.joined(drawn), kl


@closed_form(MultivariateNormal, DiagonalGaussian)
def _kl_full_diagonal(q: MultivariateNormal, p: DiagonalGaussian) -> Tensor:
    r"""KL of N(m, L L^T) from N(a, diag(v)).

    .. math:: \tfrac12 \sum_i \frac{\sum_j L_{ij}^2 + (m_i - a_i)^2}{v_i} - 1 + \log v_i
              - \log L_{ii}^2
    """
    one_event(q, p)
    lower = q._unbroadcasted_scale_tril
    square = lower.square().sum(-1) + (q.loc - p.mean).square()
    log_diagonal = lower.diagonal(dim1=-2, dim2=-1).log()
    each = square * (-p.logvar).exp() - 1 + p.logvar - 2 * log_diagonal
    kl: Tensor = 0.5 * each.sum(-1)
    return kl


@closed_form(DiagonalGaussian, MultivariateNormal)
def _kl_diagonal_full(q: DiagonalGaussian, p: MultivariateNormal) -> Tensor:
    r"""KL of N(m, diag(v)) from N(a, L L^T).

    .. math:: \tfrac12 \Big[ \sum_{ij} (L^{-1})_{ij}^2 v_j + |L^{-1} (m - a)|^2 - d
              + \sum_i \log L_{ii}^2 - \log v_i \Big]
    """
    one_event(q, p)
    lower = precise(p._unbroadcasted_scale_tril)
    gap, deviation = precise(q.mean) - p.loc, precise(q.stddev)
    columns = torch.cat([deviation.expand(gap.shape).diag_embed(), gap.unsqueeze(-1)], -1)
    square = torch.linalg.solve_triangular(lower, columns, upper=False).square().sum((-1, -2))
    log_diagonal = lower.diagonal(dim1=-2, dim2=-1).log()
    each = 2 * log_diagonal - q.logvar - 1
    kl: Tensor = 0.5 * (square + each.sum(-1))
    return kl
