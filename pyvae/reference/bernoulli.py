"""Bernoulli from logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, sum_event


def bernoulli_log_prob(x: Tensor, logits: Tensor, batch_ndim: int = 1) -> Tensor:
    """x log sigmoid(l) + (1 - x) log sigmoid(-l) = x l + log sigmoid(-l), summed over the event."""
    x, logits = compute(x, logits)
    infinite = logits.isinf()
    finite = logits.masked_fill(infinite, 0.0)
    away = x - (logits > 0).to(x.dtype)  # 0 for what an infinite l is sure of
    certain = away * logits.masked_fill(~infinite | (away == 0), 0.0)
    inside = x * finite + logsigmoid(-finite)
    return sum_event(torch.where(infinite, certain, inside), batch_ndim)
