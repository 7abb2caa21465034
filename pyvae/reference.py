"""Each op in a few lines of plain PyTorch: the specification.

Tests compare the kernels with these functions, benchmarks race them, and devices without a
kernel run them. They are differentiable to any order and in forward mode, which the kernels
borrow for the rare derivatives they do not hold themselves. Nothing here imports the library.

Every function takes the arguments of the op of the same name: tensors only, noise as a ``seed``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LOG_2PI = math.log(2 * math.pi)


def compute(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Promote to the dtype the kernels compute in: float64 if any operand is, float32 otherwise."""
    double = any(t.dtype == torch.float64 for t in tensors)
    return tuple(t.to(torch.float64 if double else torch.float32) for t in tensors)


def sum_event(value: Tensor, batch_ndim: int) -> Tensor:
    """Sum over all but the first ``batch_ndim`` dimensions."""
    return value.sum(tuple(range(batch_ndim, value.ndim))) if value.ndim > batch_ndim else value


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
    words = philox(seed, (numel + 3) // 4)
    u = (words[:, 0::2] >> 1).double() * 2.0**-31 + 2.0**-32  # (0, 1)
    turn = (words[:, 1::2] - ((words[:, 1::2] >> 31) << 32)).double() * 2.0**-32  # [-1/2, 1/2)
    radius, angle = torch.sqrt(-2 * torch.log(u)), 2 * math.pi * turn
    eps = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
    return eps.flatten()[:numel].reshape(tuple(shape)).to(dtype)


def gaussian_rsample(mean: Tensor, logvar: Tensor, seed: Tensor, shape: Sequence[int]) -> Tensor:
    """z = mean + exp(logvar / 2) eps, with ``shape`` the shape of z."""
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    mean, logvar = compute(mean, logvar)
    eps = philox_normal(seed, shape, mean.dtype)
    return (mean + torch.exp(logvar / 2) * eps).to(dtype)


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """1/2 sum [exp(d) - 1 - d + (mean - prior_mean)^2 exp(-prior_logvar)], d: logvar - prior's."""
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    mean, logvar, prior_mean, prior_logvar = compute(
        mean,
        logvar,
        zero if prior_mean is None else prior_mean,
        zero if prior_logvar is None else prior_logvar,
    )
    d = logvar - prior_logvar
    terms = torch.expm1(d) - d + (mean - prior_mean).square() * torch.exp(-prior_logvar)
    return sum_event(0.5 * terms, batch_ndim)


def gaussian_rsample_kl(
    mean: Tensor, logvar: Tensor, seed: Tensor, batch_ndim: int = 1
) -> tuple[Tensor, Tensor]:
    """A reparameterized sample and the KL to N(0, I)."""
    z = gaussian_rsample(mean, logvar, seed, mean.shape)
    return z, gaussian_kl(mean, logvar, batch_ndim=batch_ndim)


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None,
    prior_logvar: Tensor | None,
    seed: Tensor,
    num_samples: int,
    path_derivative: bool,
    batch_ndim: int = 1,
) -> tuple[Tensor, Tensor]:
    """K samples and log p(z) - log q(z|x) of each; path derivative: q's parameters held fixed."""
    dtype = torch.promote_types(mean.dtype, logvar.dtype)
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    mean, logvar, prior_mean, prior_logvar = compute(
        mean,
        logvar,
        zero if prior_mean is None else prior_mean,
        zero if prior_logvar is None else prior_logvar,
    )
    z = gaussian_rsample(mean, logvar, seed, (num_samples, *mean.shape))
    q = (mean.detach(), logvar.detach()) if path_derivative else (mean, logvar)
    log_p = gaussian_log_prob(z, prior_mean, prior_logvar, batch_ndim + 1)
    return z.to(dtype), log_p - gaussian_log_prob(z, *q, batch_ndim + 1)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor, batch_ndim: int = 1) -> Tensor:
    """log N(x; mean, exp(logvar)) = -1/2 sum [log 2 pi + logvar + (x - mean)^2 exp(-logvar)]."""
    x, mean, logvar = compute(x, mean, logvar)
    terms = LOG_2PI + logvar + (x - mean).square() * torch.exp(-logvar)
    return sum_event(-0.5 * terms, batch_ndim)


def bernoulli_log_prob(x: Tensor, logits: Tensor, batch_ndim: int = 1) -> Tensor:
    """x log sigmoid(l) + (1 - x) log sigmoid(-l) = x l + log sigmoid(-l), summed over the event."""
    x, logits = compute(x, logits)
    return sum_event(x * logits + logsigmoid(-logits), batch_ndim)


def _elbo_loss(log_prob: Tensor, kl: Tensor, beta: Tensor | None, reduction: int) -> Tensor:
    loss = (kl if beta is None else beta.to(kl.dtype) * kl) - log_prob
    return (loss, loss.mean(), loss.sum())[reduction] if reduction else loss


def bernoulli_elbo_loss(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, beta: Tensor | None, reduction: int
) -> Tensor:
    """beta KL - log p(x|z); reduction 0 none, 1 mean, 2 sum over the batch."""
    kl = gaussian_kl(mean, logvar)
    return _elbo_loss(bernoulli_log_prob(x, logits), kl, beta, reduction)


def gaussian_elbo_loss(
    x: Tensor,
    decoded_mean: Tensor,
    decoded_logvar: Tensor,
    mean: Tensor,
    logvar: Tensor,
    beta: Tensor | None,
    reduction: int,
) -> Tensor:
    """The same with a Gaussian likelihood."""
    kl = gaussian_kl(mean, logvar)
    return _elbo_loss(gaussian_log_prob(x, decoded_mean, decoded_logvar), kl, beta, reduction)
