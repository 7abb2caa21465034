"""The quantile function of the gamma distribution, differentiable in its shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyvae.distributions.reparameterize.base import Reparameterization, uniform_noise

__all__ = ["gamma", "gamma_quantile"]


class _Quantile(torch.autograd.Function):
    """z with P(a, z) = u, where P is the regularized lower incomplete gamma function."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, a: Tensor) -> Tensor:
        z = _solve(u.double(), a.double())
        ctx.save_for_backward(z, a)
        return z.to(torch.promote_types(u.dtype, a.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        """dz/da at fixed u is -(dP/da) / (dP/dz), which torch approximates to 4 digits."""
        z, a = ctx.saved_tensors
        slope = torch._standard_gamma_grad(a.double(), z)
        return None, (grad.double() * slope).to(a.dtype)


def _solve(u: Tensor, a: Tensor) -> Tensor:
    """Newton's steps for y = log z, kept within bounds that hold the root."""
    # P(a, z) <= z^a / Gamma(a + 1), so z is no less than this; tails beyond it are below 1e-17
    low = ((u.log() + torch.lgamma(a + 1)) / a).clamp(min=-700.0)
    high = torch.maximum((a + 9 * a.sqrt() + 40).log(), low)
    y = torch.maximum(low, torch.minimum(high, a.log()))
    for _ in range(100):
        z = y.exp()
        gap = torch.special.gammainc(a, z) - u
        low, high = torch.where(gap < 0, y, low), torch.where(gap < 0, high, y)
        log_slope = a * y - z - torch.lgamma(a)  # log of dP/dy
        new = y - gap * (-log_slope).exp()
        inside = (new > low) & (new < high)
        new = torch.where(inside, new, (low + high) / 2)
        done = bool(((new - y).abs() <= 1e-14 * (1 + y.abs())).all())
        y = new
        if done:
            break
    return y.exp()


def gamma_quantile(u: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """z with F(z) = u; the gradient in the concentration is implicit (Figurnov et al. 2018)."""
    u, concentration = torch.broadcast_tensors(u, concentration)
    z: Tensor = _Quantile.apply(u, concentration)  # type: ignore[no-untyped-call]
    return z / rate


gamma = Reparameterization(("concentration", "rate"), uniform_noise, gamma_quantile)
