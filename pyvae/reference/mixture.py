"""Mixtures of diagonal Gaussians."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import compute, whiten
from .gaussian import LOG_2PI


def gaussian_mixture_log_prob(
    z: Tensor,
    means: Tensor,
    logvars: Tensor,
    log_weights: Tensor | None = None,
    per_dimension: bool = False,
) -> Tensor:
    """log sum_k w_k N(z; m_k, exp(logvar_k)), of the whole point or of each dimension."""
    if log_weights is None:
        log_weights = means.new_full(means.shape[:1], -math.log(means.shape[0]))
    z, means, logvars, log_weights = compute(z, means, logvars, log_weights)
    away = whiten(z.unsqueeze(-2) - means, logvars / 2)  # (*batch, K, d)
    terms = -0.5 * (LOG_2PI + logvars + away.square())
    if per_dimension:
        return torch.logsumexp(log_weights.unsqueeze(-1) + terms, -2)
    return torch.logsumexp(log_weights + terms.sum(-1), -1)
