"""What the specifications share."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def compute(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Promote to the dtype the kernels compute in: float64 if any operand is, float32 otherwise."""
    double = any(t.dtype == torch.float64 for t in tensors)
    return tuple(t.to(torch.float64 if double else torch.float32) for t in tensors)


def whiten(away: Tensor, log_scale: Tensor) -> Tensor:
    """away exp(-log_scale), which is 0 where ``away`` is, though the exponential be infinite."""
    infinite = log_scale < -math.log(torch.finfo(away.dtype).max)
    return away * torch.exp(-torch.where((away == 0) & infinite, 0.0, log_scale))


def log_ratio(a: Tensor, b: Tensor, gap: Tensor) -> Tensor:
    """log(a / b) for positive a = b + gap, which keeps the digits of a small gap."""
    near = gap.abs() < b / 2
    close = torch.log1p(torch.where(near, gap, 0.0) / torch.where(near, b, 1.0))
    far = torch.log(torch.where(near, 1.0, a)) - torch.log(torch.where(near, 1.0, b))
    return torch.where(near, close, far)


def sum_event(value: Tensor, batch_ndim: int) -> Tensor:
    """Sum over all but the first ``batch_ndim`` dimensions."""
    return value.sum(tuple(range(batch_ndim, value.ndim))) if value.ndim > batch_ndim else value
