"""Gaussians whose precision is diagonal plus rank one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import compute
from .noise import philox_normal


def rank1_gaussian_rsample_kl(
    mean: Tensor, log_precision: Tensor, u: Tensor, seed: Tensor, batch_ndim: int = 1
) -> tuple[Tensor, Tensor]:
    """A sample of precision diag(exp(log_precision)) + u u^T, and its KL to N(0, I).

    With w = exp(-log_precision / 2), s the sum of (w u)^2 and h = w u / sqrt(1 + s), its covariance
    is diag(w) (I - h h^T) diag(w), of which diag(w) (I - kappa h h^T) is a root for
    kappa = sqrt(1 + s) / (1 + sqrt(1 + s)). Sums are split into an element's own part and that of
    the others, without which nothing would be left of an element whose u outweighs all others.
    """
    dtype = torch.promote_types(torch.promote_types(mean.dtype, log_precision.dtype), u.dtype)
    shape, batch = mean.shape, mean.shape[:batch_ndim]
    row = (*batch, math.prod(shape[batch_ndim:]))
    mean, log_precision, u = (t.reshape(row) for t in compute(mean, log_precision, u))
    eps = philox_normal(seed, shape, mean.dtype).reshape(row)
    w = torch.exp(-log_precision / 2)
    r = w * u
    size = r.detach().abs().sum(-1, keepdim=True)
    limit = torch.finfo(r.dtype).max ** 0.47
    unit = torch.where(size > limit, size / limit, 1.0)  # of which no square overflows
    s = (r / unit).square().sum(-1, keepdim=True)
    one = (1 / unit).square()
    root = unit * torch.sqrt(one + s)  # of 1 + s, which is one + s in these units
    h = r / root
    outweighs = h.square() > 2 / 3  # no more than one element

    def others(x: Tensor) -> Tensor:
        rest = torch.where(outweighs, 0, x).sum(-1, keepdim=True)
        return torch.where(outweighs, rest, x.sum(-1, keepdim=True) - x)

    rho = (1 / root).square() + others(h.square())  # 1 - h^2
    mu = 1 / (1 + root)
    kappa = root * mu  # 1 - mu
    z = mean + w * ((mu + kappa * rho) * eps - kappa * h * others(h * eps))
    terms = torch.expm1(-log_precision) * rho + log_precision + mean.square()
    log_total = 2 * torch.log(unit) + torch.log1p(s + (one - 1))
    kl = 0.5 * (terms.sum(-1) + (log_total - s / (one + s)).squeeze(-1))
    return z.reshape(shape).to(dtype), kl
