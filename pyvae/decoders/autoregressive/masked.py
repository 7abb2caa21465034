"""The convolution that autoregressive decoders begin with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MaskedConv2d"]


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees the rows above, and of its own row what lies to the left.

    van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.4.

    Args:
        before: channels that come in
        after: channels that go out
        size: of the kernel, odd
        own: whether it sees the pixel itself, too: mask B; without it, mask A

    >>> MaskedConv2d(1, 1, 3, own=False).mask
    tensor([[1., 1., 1.],
            [1., 0., 0.],
            [0., 0., 0.]])
    """

    mask: Tensor

    def __init__(self, before: int, after: int, size: int, own: bool) -> None:
        super().__init__(before, after, size)
        mask = torch.zeros(size, size)
        mask[: size // 2] = 1
        mask[size // 2, : size // 2 + own] = 1
        self.register_buffer("mask", mask, persistent=False)
        self.reach = size // 2

    def forward(self, x: Tensor) -> Tensor:
        """Same size as x."""
        return self.within(F.pad(x, [self.reach] * 4))

    def within(self, padded: Tensor) -> Tensor:
        """Smaller than x by what it reaches, on each side."""
        return F.conv2d(padded, self.weight * self.mask, self.bias)
