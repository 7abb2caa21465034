"""Bernoulli from logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, sum_event


def bernoulli_log_prob(x: Tensor, logits: Tensor, batch_ndim: int = 1) -> Tensor:
    """x log sigmoid(l) + (1 - x) log sigmoid(-l) = x l + log sigmoid(-l), summed over the event."""
    x, logits = compute(x, logits)
    return sum_event(x * logits + logsigmoid(-logits), batch_ndim)
