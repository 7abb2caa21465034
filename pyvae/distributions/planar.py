"""Planar maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Planar"]


class Planar:
    r"""y = x + u' tanh(w x + b), which pushes along u' at right angles to a plane.

    .. math::
        u' = u + (\operatorname{softplus}(w^T u) - 1 - w^T u) \frac{w}{|w|^2}, \quad
        \log |\det| = \log\left(1 + w^T u' \tanh'(w^T x + b)\right)

    With u' it is invertible for any u. Rezende & Mohamed 2015, eq. 10 and appendix A.1. The inverse
    is a search along w, differentiable once.

    Args:
        u, w: (*batch, D)
        b: (*batch,)

    >>> f = Planar(torch.randn(3, 2), torch.randn(3, 2), torch.zeros(3))
    >>> x = torch.randn(3, 2)
    >>> bool(torch.allclose(f.inverse(f.forward(x)[0])[0], x, atol=1e-4))
    True
    """

    def __init__(self, u: Tensor, w: Tensor, b: Tensor) -> None:
        wu = (w * u).sum(-1, keepdim=True)
        square = w.square().sum(-1, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)
        self.u = u + (F.softplus(wu) - 1 - wu) * (w / square)
        self.w, self.b = w, b
        self.gain = (w * self.u).sum(-1)  # above -1

    def _move(self, x: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """The push u' tanh(a) and the volume change, for a = w x + b."""
        push = torch.tanh(along)
        return self.u * push.unsqueeze(-1), torch.log1p(self.gain * (1 - push.square()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log |det dy/dx|."""
        push, volume = self._move(x, (x * self.w).sum(-1) + self.b)
        return x + push, volume

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x and log |det dy/dx| there: a + gain tanh(a) = w y + b has one root a."""
        target = (y * self.w).sum(-1) + self.b
        with torch.no_grad():
            reach = self.gain.abs()
            low, high = target - reach, target + reach
            for _ in range(64):
                middle = (low + high) / 2
                over = middle + self.gain * middle.tanh() > target
                low, high = torch.where(over, low, middle), torch.where(over, middle, high)
            root = (low + high) / 2
            slope = 1 + self.gain * (1 - root.tanh().square())
        # one Newton step: it moves the root by rounding errors only, and carries the gradient
        along = root - (root + self.gain * root.tanh() - target) / slope
        push, volume = self._move(y, along)
        return y - push, volume
