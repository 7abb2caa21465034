"""Mixtures of diagonal Gaussians."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_mixture_log_prob(
    z: Tensor,
    means: Tensor,
    logvars: Tensor,
    log_weights: Tensor | None = None,
    *,
    per_dimension: bool = False,
) -> Tensor:
    """log sum_k w_k N(z; means_k, exp(logvars_k)) in nats, per point.

    Args:
        z: points ``(N, D)``.
        means: of the components, ``(K, D)``.
        logvars: log-variances ``(K, D)``.
        log_weights: log w ``(K,)``, or ``(N, K)`` with weights for each point; default: 1 / K each.
        per_dimension: the mixture of each dimension for itself, with the same weights.

    Returns:
        ``(N,)``, or ``(N, D)`` per dimension.

    Example:
        >>> import torch
        >>> gaussian_mixture_log_prob(torch.zeros(1, 2), torch.zeros(5, 2), torch.zeros(5, 2))
        tensor([-1.8379])
    """
    if log_weights is None:
        log_weights = means.new_full((len(means),), -math.log(len(means)))
    square = (z[:, None] - means).square() * torch.exp(-logvars)
    log_prob = -0.5 * (math.log(2 * math.pi) + logvars + square)  # (N, K, D)
    if per_dimension:
        return (log_prob + log_weights[..., None]).logsumexp(1)
    return (log_prob.sum(-1) + log_weights).logsumexp(1)
