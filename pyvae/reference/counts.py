"""Counts: Poisson, negative binomial, and the latter with more zeros."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, log_ratio, sum_event

#: 1/2 log 2 pi; and B_2k / (2k (2k - 1)), of Stirling's series.
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


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


def _stirling_error(z: Tensor) -> Tensor:
    """log G(z) - [(z - 1/2) log z - z + 1/2 log 2 pi], from 10 on by its series."""
    small = z < 10
    near, far = torch.where(small, z, 1.0), torch.where(small, 10.0, z)
    exact = torch.lgamma(near) - (near - 0.5) * torch.log(near) + near - HALF_LOG_2PI
    series = torch.zeros_like(far)
    for c in reversed(STIRLING):
        series = series / far.square() + c
    return torch.where(small, exact, series / far)


def _negative_binomial(x: Tensor, mean: Tensor, t: Tensor) -> Tensor:
    """By Stirling's formula: for large t nothing would be left of log G(x + t) - log G(t).

    With z = t + 1 these are log G(x + z) - log G(z) + log(t / (x + t)), finite however small t is.
    """
    z = t + 1
    total = x + z
    none = torch.zeros_like(mean).masked_fill(mean == math.inf, math.nan)
    mean = mean + none  # a mean that overflowed is none
    ways = _stirling_error(total) - _stirling_error(z) + (z - 0.5) * log_ratio(total, z, x)
    ways = ways - x - log_ratio(x + t, t, x) - torch.lgamma(x + 1)
    safe = mean.masked_fill((x == 0) & (mean == 0), 1.0)  # 0 log 0 = 0
    close = torch.log(safe) + log_ratio(total, t + mean, x + 1 - mean)
    share = torch.where(t < mean, torch.log(total) - log_ratio(t + safe, safe, t), close)
    return ways - t * log_ratio(t + mean, t, mean) + x * share


def _by_log_mean(x: Tensor, log_mean: Tensor, t: Tensor) -> Tensor:
    """Beyond the range of numbers a line in log m: x log m far below t, -t log m far above."""
    most = 700 if log_mean.dtype == torch.float64 else 80
    far = log_mean.abs() > most
    inside = torch.where(far, torch.copysign(torch.full_like(log_mean, most), log_mean), log_mean)
    slope = torch.where(log_mean < inside, x, -t)
    beyond = torch.where(far, log_mean - inside, 0.0)
    line = slope * beyond.masked_fill(slope == 0, 0.0)
    return _negative_binomial(x, inside.exp(), t) + line


def negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, batch_ndim: int = 1
) -> Tensor:
    """log [G(x + t) / (G(t) x!)] + t log(t / (t + m)) + x log(m / (t + m)), summed."""
    x, mean, t = compute(x, mean, inverse_dispersion)
    return sum_event(_negative_binomial(_counts(x), mean, t), batch_ndim)


def zero_inflated_negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor, batch_ndim: int = 1
) -> Tensor:
    """x = 0: log(sigmoid(l) + sigmoid(-l) NB(0)); x > 0: log sigmoid(-l) + log NB(x)."""
    x, mean, t, zi_logits = compute(x, mean, inverse_dispersion, zi_logits)
    x = _counts(x)
    return _inflated(x, _negative_binomial(x, mean, t), zi_logits, batch_ndim)


def _inflated(x: Tensor, log_count: Tensor, zi_logits: Tensor, batch_ndim: int) -> Tensor:
    counted = logsigmoid(-zi_logits) + log_count
    zero = torch.logaddexp(logsigmoid(zi_logits), counted)
    return sum_event(torch.where(x == 0, zero, counted), batch_ndim)


def negative_binomial_log_prob_log_mean(
    x: Tensor, log_mean: Tensor, inverse_dispersion: Tensor, batch_ndim: int = 1
) -> Tensor:
    """The negative binomial by log m."""
    x, log_mean, t = compute(x, log_mean, inverse_dispersion)
    return sum_event(_by_log_mean(_counts(x), log_mean, t), batch_ndim)


def zero_inflated_negative_binomial_log_prob_log_mean(
    x: Tensor, log_mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor, batch_ndim: int = 1
) -> Tensor:
    """The zero-inflated negative binomial by log m."""
    x, log_mean, t, zi_logits = compute(x, log_mean, inverse_dispersion, zi_logits)
    x = _counts(x)
    return _inflated(x, _by_log_mean(x, log_mean, t), zi_logits, batch_ndim)
