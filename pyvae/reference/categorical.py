"""Classes from logits."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import compute, sum_event


def categorical_log_prob(x: Tensor, logits: Tensor, batch_ndim: int = 1) -> Tensor:
    """log softmax(logits) over the last dimension at the class x, summed over the event.

    An x that is no class gives NaN, in the gradient of its logits too.
    """
    (logits,) = compute(logits)
    log_probs = torch.log_softmax(logits, -1)
    x = x.long()  # 256 wraps among bytes
    exists = (x >= 0) & (x < logits.shape[-1])
    index = torch.where(exists, x, 0)
    shape = torch.broadcast_shapes(x.shape, logits.shape[:-1])
    log_probs = log_probs.expand(*shape, -1)
    picked = log_probs.gather(-1, index.expand(shape).unsqueeze(-1)).squeeze(-1)
    nan = torch.full_like(picked, torch.nan)
    return sum_event(picked * torch.where(exists, torch.ones_like(picked), nan), batch_ndim)
