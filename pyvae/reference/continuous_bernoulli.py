"""Continuous Bernoulli from logits."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import compute, sum_event

#: B_2k / (2k (2k)!): log(sinh(t / 2) / (t / 2)) as a series in t^2.
LOG_SINHC = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000)


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor, batch_ndim: int = 1) -> Tensor:
    """x l - log((exp(l) - 1) / l), summed over the event; by a series near l = 0."""
    x, logits = compute(x, logits)
    small = logits.abs() < 0.3
    near = torch.where(small, logits, 0.0)
    series = sum(c * near.square() ** (k + 1) for k, c in enumerate(LOG_SINHC))
    away = torch.where(small, 1.0, logits)
    size = away.abs()
    log_norm = away.clamp(min=0) - torch.log(size / -torch.expm1(-size))
    terms = torch.where(small, (x - 0.5) * near - series, x * away - log_norm)
    return sum_event(terms, batch_ndim)
