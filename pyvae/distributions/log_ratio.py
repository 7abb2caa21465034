"""Samples and their log-ratio to a prior together, as importance weights need."""

from __future__ import annotations

from torch import Size, Tensor
from torch.distributions import Distribution

from pyvae.distributions.gaussian import DiagonalGaussian, StandardNormal
from pyvae.functional import gaussian_rsample_log_ratio

__all__ = ["path_log_prob", "rsample_log_ratio"]


def path_log_prob(q: Distribution, z: Tensor) -> Tensor:
    """log q(z), whose gradient reaches the parameters of q through z alone.

    The score, which is left out, has expectation 0 (Roeder, Wu & Duvenaud 2017).

    >>> import torch
    >>> mean = torch.zeros(1, 2, requires_grad=True)
    >>> path_log_prob(DiagonalGaussian(mean, torch.zeros(1, 2)), torch.ones(1, 2)).requires_grad
    True
    """
    score = q.log_prob(z.detach())
    log_prob: Tensor = q.log_prob(z) - (score - score.detach())
    return log_prob


def rsample_log_ratio(
    q: Distribution, p: Distribution, num_samples: int, *, path_derivative: bool = False
) -> tuple[Tensor, Tensor]:
    """K reparameterized samples z of q and log p(z) - log q(z), in one pass where there is an op.

    Args:
        q, p: distributions over one event shape, p with batch shape ()
        num_samples: K
        path_derivative: differentiate log q(z) through z alone, see :func:`path_log_prob`

    Returns:
        z (K, *batch, *event) and the log-ratio (K, *batch), in nats.

    Raises:
        NotImplementedError: q has no rsample, or one of them has no density.

    >>> import torch
    >>> q = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> z, log_ratio = rsample_log_ratio(q, StandardNormal((2,)), 5)
    >>> z.shape, log_ratio.shape
    (torch.Size([5, 3, 2]), torch.Size([5, 3]))
    """
    if (
        isinstance(q, DiagonalGaussian)
        and isinstance(p, DiagonalGaussian)
        and q.event_shape == p.event_shape
        and not p.batch_shape
    ):
        standard = isinstance(p, StandardNormal)
        return gaussian_rsample_log_ratio(
            q.mean,
            q._logvar,
            num_samples,
            None if standard else p.mean,
            None if standard else p._logvar,
            path_derivative=path_derivative,
            batch_ndim=len(q.batch_shape),
        )
    z = q.rsample(Size((num_samples,)))
    log_q = path_log_prob(q, z) if path_derivative else q.log_prob(z)
    return z, p.log_prob(z) - log_q
