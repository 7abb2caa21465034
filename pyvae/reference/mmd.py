"""The maximum mean discrepancy of two samples."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import compute


def mmd(x: Tensor, y: Tensor, scales: Tensor, imq: bool = False, unbiased: bool = False) -> Tensor:
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y), k rbf or inverse multiquadric."""
    x, y = compute(x, y)
    squares = scales.to(x.dtype).square()

    def similarity(a: Tensor, b: Tensor) -> Tensor:
        distance = (a.unsqueeze(1) - b).square().sum(-1, keepdim=True)  # (len(a), len(b), 1)
        c = 2 * x.shape[1] * squares
        k = c / (c + distance) if imq else torch.exp(-distance / (2 * squares))
        return k.sum(-1)

    def within(a: Tensor) -> Tensor:
        k, n = similarity(a, a), len(a)
        if not unbiased:
            return k.mean()
        itself = torch.eye(n, dtype=torch.bool, device=k.device)
        return k.masked_fill(itself, 0).sum() / (n * (n - 1))

    return within(x) + within(y) - 2 * similarity(x, y).mean()
