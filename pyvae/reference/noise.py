"""Noise as a function of a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def philox(seed: Tensor, counters: int) -> Tensor:
    """Philox4x32-10 of counters 0 .. ``counters`` - 1 under the key ``seed``: (counters, 4) words.

    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011. The words
    are uint32 values held in int64.
    """
    mask = 0xFFFFFFFF
    c = torch.arange(counters, device=seed.device)
    x0, x1, x2, x3 = c & mask, c >> 32, torch.zeros_like(c), torch.zeros_like(c)
    k0, k1 = seed & mask, (seed >> 32) & mask
    for _ in range(10):
        p0, p1 = x0 * 0xD2511F53, x2 * 0xCD9E8D57  # wraps modulo 2^64: the bits are those of uint64
        x0, x1, x2, x3 = (
            ((p1 >> 32) & mask) ^ x1 ^ k0,
            p1 & mask,
            ((p0 >> 32) & mask) ^ x3 ^ k1,
            p0 & mask,
        )
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return torch.stack([x0, x1, x2, x3], dim=-1)


def philox_normal(seed: Tensor, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normals of ``shape``: eps[4c .. 4c+3] from counter c by Box and Muller (1958).

    A ``seed`` of shape (S,) gives S streams, one for each index of the first dimension of
    ``shape``.
    """
    if seed.ndim:
        parts = [philox_normal(s, shape[1:], dtype) for s in seed.unbind()]
        return torch.stack(parts) if parts else seed.new_empty(tuple(shape), dtype=dtype)
    numel = math.prod(shape)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    words = philox(seed, (numel + 3) // 4)
    u = (words[:, 0::2] >> 1).to(wide) * 2.0**-31 + 2.0**-32  # (0, 1]
    radius = torch.sqrt(-2 * torch.log(u))
    # quarters of a turn, and what is left of the angle, at most an eighth, exact as an integer
    quarter = (words[:, 1::2] + 2**29) >> 30
    rest = (words[:, 1::2] - (quarter << 30)).to(wide) * (2 * math.pi * 2.0**-32)
    cos, sin = torch.cos(rest), torch.sin(rest)
    odd, flip_cos = quarter % 2 == 1, (quarter + 1) % 4 >= 2
    sin, cos = torch.where(odd, cos, sin), torch.where(odd, sin, cos)
    cos, sin = torch.where(flip_cos, -cos, cos), torch.where(quarter % 4 >= 2, -sin, sin)
    eps = torch.stack([radius * cos, radius * sin], dim=-1)
    return eps.flatten()[:numel].reshape(tuple(shape)).to(dtype)
