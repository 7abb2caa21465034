"""Counts: Poisson, negative binomial, and the latter with more zeros."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, sum_event


def _counts(x: Tensor) -> Tensor:
    """Counts, with NaN for negative ones."""
    return x.masked_fill(x < 0, math.nan)


def poisson_log_prob(x: Tensor, log_rate: Tensor, batch_ndim: int = 1) -> Tensor:
    """x r - exp(r) - log x!, summed over the event; 0 log 0 = 0."""
    x, log_rate = compute(x, log_rate)
    x = _counts(x)
    certain = (x == 0) & (log_rate == -math.inf)
    product = x * log_rate.masked_fill(certain, 0.0)
    return sum_event(product - torch.exp(log_rate) - torch.lgamma(x + 1), batch_ndim)


def _negative_binomial(x: Tensor, mean: Tensor, theta: Tensor) -> Tensor:
    share = (mean / (theta + mean)).masked_fill((x == 0) & (mean == 0), 1.0)  # 0 log 0 = 0
    ways = torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
    return ways - theta * torch.log1p(mean / theta) + x * torch.log(share)


def negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, batch_ndim: int = 1
) -> Tensor:
    """log [G(x + t) / (G(t) x!)] + t log(t / (t + m)) + x log(m / (t + m)), summed."""
    x, mean, theta = compute(x, mean, inverse_dispersion)
    return sum_event(_negative_binomial(_counts(x), mean, theta), batch_ndim)


def zero_inflated_negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor, batch_ndim: int = 1
) -> Tensor:
    """x = 0: log(sigmoid(l) + sigmoid(-l) NB(0)); x > 0: log sigmoid(-l) + log NB(x)."""
    x, mean, theta, zi_logits = compute(x, mean, inverse_dispersion, zi_logits)
    x = _counts(x)
    counted = logsigmoid(-zi_logits) + _negative_binomial(x, mean, theta)
    zero = torch.logaddexp(logsigmoid(zi_logits), counted)
    return sum_event(torch.where(x == 0, zero, counted), batch_ndim)
