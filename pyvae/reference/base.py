"""What the specifications share."""

from __future__ import annotations

import torch
from torch import Tensor


def compute(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Promote to the dtype the kernels compute in: float64 if any operand is, float32 otherwise."""
    double = any(t.dtype == torch.float64 for t in tensors)
    return tuple(t.to(torch.float64 if double else torch.float32) for t in tensors)


def sum_event(value: Tensor, batch_ndim: int) -> Tensor:
    """Sum over all but the first ``batch_ndim`` dimensions."""
    return value.sum(tuple(range(batch_ndim, value.ndim))) if value.ndim > batch_ndim else value
