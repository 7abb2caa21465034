"""Diagonal Gaussians by mean and log-variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import compute, sum_event, whiten
from .noise import philox_normal

LOG_2PI = math.log(2 * math.pi)


def gaussian_rsample(mean: Tensor, logvar: Tensor, seed: Tensor, shape: Sequence[int]) -> Tensor:
    """z = mean + exp(logvar / 2) eps, with ``shape`` the shape of z."""
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    mean, logvar = compute(mean, logvar)
    eps = philox_normal(seed, shape, mean.dtype)
    return (mean + torch.exp(logvar / 2) * eps).to(dtype)


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """1/2 sum [exp(d) - 1 - d + (mean - prior_mean)^2 exp(-prior_logvar)], d: logvar - prior's."""
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    mean, logvar, prior_mean, prior_logvar = compute(
        mean,
        logvar,
        zero if prior_mean is None else prior_mean,
        zero if prior_logvar is None else prior_logvar,
    )
    d = logvar - prior_logvar
    terms = torch.expm1(d) - d + whiten(mean - prior_mean, prior_logvar / 2).square()
    return sum_event(0.5 * terms, batch_ndim)


def gaussian_rsample_kl(
    mean: Tensor, logvar: Tensor, seed: Tensor, batch_ndim: int = 1
) -> tuple[Tensor, Tensor]:
    """A reparameterized sample and the KL to N(0, I)."""
    z = gaussian_rsample(mean, logvar, seed, mean.shape)
    return z, gaussian_kl(mean, logvar, batch_ndim=batch_ndim)


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None,
    prior_logvar: Tensor | None,
    seed: Tensor,
    num_samples: int,
    path_derivative: bool,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """K samples and log p(z) - log q(z|x) of each; path derivative: q's parameters held fixed.

    log q(z|x) = -1/2 sum [log 2 pi + logvar + eps^2], where eps = (z - mean) exp(-logvar / 2). For
    the path derivative this eps moves with z: by exp(-logvar / 2) dmean + eps dlogvar / 2.
    """
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    mean, logvar, prior_mean, prior_logvar = compute(
        mean,
        logvar,
        zero if prior_mean is None else prior_mean,
        zero if prior_logvar is None else prior_logvar,
    )
    shape = (num_samples, *mean.shape)
    eps, z = philox_normal(seed, shape, mean.dtype), gaussian_rsample(mean, logvar, seed, shape)
    log_scale = logvar
    if path_derivative:
        fixed = logvar.detach()
        finite = torch.exp(-fixed / 2).clamp(max=torch.finfo(fixed.dtype).max)
        log_scale = torch.where(fixed.isinf(), eps.square() * logvar, fixed)  # -inf with its slope
        moved = (mean - mean.detach()) * finite  # 0
        grown = torch.where(fixed.isinf(), 0.0, logvar - fixed)  # 0
        eps = eps + moved + eps * torch.expm1(grown / 2)
    log_q = -0.5 * sum_event(LOG_2PI + log_scale + eps.square(), batch_ndim + 1)
    return z.to(dtype), gaussian_log_prob(z, prior_mean, prior_logvar, batch_ndim + 1) - log_q


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor, batch_ndim: int = 1) -> Tensor:
    """log N(x; mean, exp(logvar)) = -1/2 sum [log 2 pi + logvar + (x - mean)^2 exp(-logvar)]."""
    x, mean, logvar = compute(x, mean, logvar)
    terms = LOG_2PI + logvar + whiten(x - mean, logvar / 2).square()
    return sum_event(-0.5 * terms, batch_ndim)
