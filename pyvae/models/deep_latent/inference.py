"""What is inferred from the data, brought together with what the layers above expect."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import DiagonalGaussian, Rank1Gaussian

__all__ = ["COMBINATIONS", "in_noise_of", "weighted_by_precision"]


def weighted_by_precision(q: Distribution, p: DiagonalGaussian) -> Distribution:
    r"""The Gaussian whose density is proportional to that of q times that of p.

    .. math:: \Lambda = \Lambda_q + \Lambda_p, \qquad
              m = m_p + \Lambda^{-1} \Lambda_q\, (m_q - m_p)

    Precisions add up, and the mean is weighted by them: Sønderby et al. 2016, here
    for a diagonal or a rank-1 q.

    Args:
        q: over h_l, what the data say
        p: over h_l given h_(l+1)

    Raises:
        TypeError: q is neither diagonal nor rank-1.

    >>> q, p = (DiagonalGaussian(torch.full((1, 1), m), torch.zeros(1, 1)) for m in (1.0, 2.0))
    >>> both = weighted_by_precision(q, p)
    >>> both.mean.item(), both.variance.item()
    (1.5, 0.5)
    """
    if isinstance(q, DiagonalGaussian):
        logvar = -torch.logaddexp(-q.logvar, -p.logvar)
        mean = p.mean + torch.sigmoid(p.logvar - q.logvar) * (q.mean - p.mean)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
    if isinstance(q, Rank1Gaussian):
        log_precision = torch.logaddexp(q.log_precision, -p.logvar)
        gap, u = q.mean - p.mean, q.u
        pull = q.log_precision.exp() * gap + u * _dot(u, gap)
        spread = torch.exp(-log_precision)  # (D + u u^T)^-1 by Sherman and Morrison
        narrow = u * _dot(u, spread * pull) / (1 + _dot(u, spread * u))
        return Rank1Gaussian(
            p.mean + spread * (pull - narrow), log_precision, u, validate_args=False
        )
    raise _unfit("top_down", q)


def in_noise_of(q: Distribution, p: DiagonalGaussian) -> Distribution:
    r"""The distribution of h = m_p + s_p \xi for \xi ~ q: recognition of the noise of a layer.

    Rezende, Mohamed & Wierstra 2014, section 4: q(xi_l | x) does not depend on the other layers,
    and its KL from N(0, I) is that of h_l from p(h_l | h_(l+1)).

    Args:
        q: over the noise xi_l
        p: over h_l given h_(l+1)

    Raises:
        TypeError: q is neither diagonal nor rank-1.

    >>> q, p = (DiagonalGaussian(torch.full((1, 1), m), torch.zeros(1, 1)) for m in (1.0, 2.0))
    >>> in_noise_of(q, p).mean.item()
    3.0
    """
    scale = torch.exp(p.logvar / 2)
    if isinstance(q, DiagonalGaussian):
        mean, logvar = p.mean + scale * q.mean, p.logvar + q.logvar
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
    if isinstance(q, Rank1Gaussian):
        return Rank1Gaussian(
            p.mean + scale * q.mean, q.log_precision - p.logvar, q.u / scale, validate_args=False
        )
    raise _unfit("noise", q)


#: How a posterior from the data meets the layer above, by the name of the inference.
COMBINATIONS: dict[str, Callable[[Distribution, DiagonalGaussian], Distribution]] = {
    "top_down": weighted_by_precision,
    "noise": in_noise_of,
}


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)


def _unfit(inference: str, q: Distribution) -> TypeError:
    return TypeError(
        f"deep_latent: inference={inference!r} takes a Gaussian posterior, diagonal_gaussian or "
        f"rank1_gaussian, got {type(q).__name__}; inference='bottom_up' takes any over reals"
    )
