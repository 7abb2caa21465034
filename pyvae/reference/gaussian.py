"""Diagonal Gaussians by mean and log-variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import compute, sum_event, whiten
from .noise import philox_normal

LOG_2PI = math.log(2 * math.pi)


def gaussian_rsample(
    mean: Tensor, logvar: Tensor, seed: Tensor, shape: Sequence[int] | None = None
) -> Tensor:
    """z = mean + exp(logvar / 2) eps, with ``shape`` the shape of z; none is that of the mean."""
    shape = mean.shape if shape is None else shape
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    mean, logvar = compute(mean, logvar)
    eps = philox_normal(seed, shape, mean.dtype)
    return (mean + torch.exp(logvar / 2) * eps).to(dtype)


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor,
    prior_logvar: Tensor,
    batch_ndim: int = 1,
) -> Tensor:
    """1/2 sum [exp(d) - 1 - d + (mean - prior_mean)^2 exp(-prior_logvar)], d: logvar - prior's."""
    mean, logvar, prior_mean, prior_logvar = compute(mean, logvar, prior_mean, prior_logvar)
    d = logvar - prior_logvar
    terms = torch.expm1(d) - d + whiten(mean - prior_mean, prior_logvar / 2).square()
    return sum_event(0.5 * terms, batch_ndim)


def gaussian_kl_standard(mean: Tensor, logvar: Tensor, batch_ndim: int = 1) -> Tensor:
    """The same for the prior N(0, I)."""
    return gaussian_kl(mean, logvar, _zero(mean), _zero(mean), batch_ndim)


def _zero(like: Tensor) -> Tensor:
    return torch.zeros((), dtype=like.dtype, device=like.device)


def gaussian_rsample_kl(
    mean: Tensor,
    logvar: Tensor,
    seed: Tensor,
    shape: Sequence[int] | None = None,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """A reparameterized sample and the KL to N(0, I)."""
    z = gaussian_rsample(mean, logvar, seed, shape)
    mean, logvar = torch.broadcast_to(mean, z.shape), torch.broadcast_to(logvar, z.shape)
    return z, gaussian_kl_standard(mean, logvar, batch_ndim)


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor,
    prior_logvar: Tensor,
    seed: Tensor,
    shape: Sequence[int] | None = None,
    batch_ndim: int = 1,
    path_derivative: bool = False,
) -> tuple[Tensor, Tensor]:
    """Samples and log p(z) - log q(z|x) of each; path derivative: q's parameters held fixed.

    log q(z|x) = -1/2 sum [log 2 pi + logvar + eps^2], where eps = (z - mean) exp(-logvar / 2). For
    the path derivative this eps moves with z: by exp(-logvar / 2) dmean + eps dlogvar / 2.
    """
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    mean, logvar, prior_mean, prior_logvar = compute(mean, logvar, prior_mean, prior_logvar)
    shape = mean.shape if shape is None else shape
    eps, z = philox_normal(seed, shape, mean.dtype), gaussian_rsample(mean, logvar, seed, shape)
    log_scale = logvar
    if path_derivative:
        fixed = logvar.detach()
        finite = torch.exp(-fixed / 2).clamp(max=torch.finfo(fixed.dtype).max)
        log_scale = torch.where(fixed.isinf(), eps.square() * logvar, fixed)  # -inf with its slope
        moved = (mean - mean.detach()) * finite  # 0
        grown = torch.where(fixed.isinf(), 0.0, logvar - fixed)  # 0
        eps = eps + moved + eps * torch.expm1(grown / 2)
    log_q = -0.5 * sum_event(LOG_2PI + log_scale + eps.square(), batch_ndim)
    return z.to(dtype), gaussian_log_prob(z, prior_mean, prior_logvar, batch_ndim) - log_q


def gaussian_rsample_log_ratio_path(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor,
    prior_logvar: Tensor,
    seed: Tensor,
    shape: Sequence[int] | None = None,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """The same with the path derivative."""
    return gaussian_rsample_log_ratio(
        mean, logvar, prior_mean, prior_logvar, seed, shape, batch_ndim, path_derivative=True
    )


def gaussian_rsample_log_ratio_standard(
    mean: Tensor,
    logvar: Tensor,
    seed: Tensor,
    shape: Sequence[int] | None = None,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """The same for the prior N(0, I)."""
    zero = _zero(mean)
    return gaussian_rsample_log_ratio(mean, logvar, zero, zero, seed, shape, batch_ndim)


def gaussian_rsample_log_ratio_standard_path(
    mean: Tensor,
    logvar: Tensor,
    seed: Tensor,
    shape: Sequence[int] | None = None,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """The same for the prior N(0, I), with the path derivative."""
    zero = _zero(mean)
    return gaussian_rsample_log_ratio_path(mean, logvar, zero, zero, seed, shape, batch_ndim)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor, batch_ndim: int = 1) -> Tensor:
    """log N(x; mean, exp(logvar)) = -1/2 sum [log 2 pi + logvar + (x - mean)^2 exp(-logvar)]."""
    x, mean, logvar = compute(x, mean, logvar)
    terms = LOG_2PI + logvar + whiten(x - mean, logvar / 2).square()
    return sum_event(-0.5 * terms, batch_ndim)
