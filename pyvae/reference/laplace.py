"""Laplace by mean and log-scale."""

from __future__ import annotations

import math

from torch import Tensor

from .base import compute, sum_event, whiten


def laplace_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor, batch_ndim: int = 1) -> Tensor:
    """-|x - mean| exp(-log_scale) - log_scale - log 2, summed over the event."""
    x, mean, log_scale = compute(x, mean, log_scale)
    terms = whiten((x - mean).abs(), log_scale) + log_scale + math.log(2)
    return sum_event(-terms, batch_ndim)
