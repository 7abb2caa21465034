"""Placeholders in plain PyTorch with the signatures of ops that other branches bring."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def _sum(value: Tensor, batch_ndim: int) -> Tensor:
    out: Tensor = value.flatten(batch_ndim).sum(-1) if value.ndim > batch_ndim else value
    return out


def poisson_log_prob(x: Tensor, log_rate: Tensor, *, batch_ndim: int = 1) -> Tensor:
    """log p(x).

    >>> poisson_log_prob(torch.ones(1, 1), torch.zeros(1, 1))
    tensor([-1.])
    """
    x = x.to(log_rate.dtype)
    return _sum(x * log_rate - log_rate.exp() - torch.lgamma(x + 1), batch_ndim)


def negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, *, batch_ndim: int = 1
) -> Tensor:
    """log p(x).

    >>> negative_binomial_log_prob(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1))
    tensor([-0.6931])
    """
    return _sum(_negative_binomial(x.to(mean.dtype), mean, inverse_dispersion), batch_ndim)


def _negative_binomial(x: Tensor, mean: Tensor, theta: Tensor) -> Tensor:
    ratio = torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
    zero = -theta * torch.log1p(mean / theta)
    return ratio + zero + torch.xlogy(x, mean) - torch.xlogy(x, mean + theta)


def zero_inflated_negative_binomial_log_prob(
    x: Tensor,
    mean: Tensor,
    inverse_dispersion: Tensor,
    zi_logits: Tensor,
    *,
    batch_ndim: int = 1,
) -> Tensor:
    """log p(x).

    >>> one = torch.ones(1, 1)
    >>> zero_inflated_negative_binomial_log_prob(0 * one, one, one, 0 * one)
    tensor([-0.2877])
    """
    x = x.to(mean.dtype)
    counted = _negative_binomial(x, mean, inverse_dispersion) + F.logsigmoid(-zi_logits)
    zero = torch.logaddexp(F.logsigmoid(zi_logits).expand_as(counted), counted)
    return _sum(torch.where(x == 0, zero, counted), batch_ndim)


def categorical_log_prob(x: Tensor, logits: Tensor, *, batch_ndim: int = 1) -> Tensor:
    """log p(x), classes along the last dimension of the logits.

    >>> categorical_log_prob(torch.ones(1, 1), torch.zeros(1, 1, 2))
    tensor([-0.6931])
    """
    log_probs = logits.log_softmax(-1)
    shape = torch.broadcast_shapes(x.shape, logits.shape[:-1])
    x = x.long()  # 256 is no uint8, which comparing with it would wrap
    exists = ((x >= 0) & (x < logits.shape[-1])).expand(shape)
    index = torch.where(exists, x, 0).unsqueeze(-1)
    picked = log_probs.expand(*shape, logits.shape[-1]).gather(-1, index)[..., 0]
    return _sum(torch.where(exists, picked, math.nan), batch_ndim)


def laplace_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor, *, batch_ndim: int = 1) -> Tensor:
    """log p(x).

    >>> laplace_log_prob(torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1))
    tensor([-0.6931])
    """
    return _sum(-(x - mean).abs() * (-log_scale).exp() - log_scale - math.log(2), batch_ndim)


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor, *, batch_ndim: int = 1) -> Tensor:
    """log p(x).

    >>> continuous_bernoulli_log_prob(torch.zeros(1, 1), torch.zeros(1, 1))
    tensor([0.])
    """
    small = logits.abs() < 1e-2
    safe = torch.where(small, torch.ones_like(logits), logits)
    size = safe.abs()
    exact = size.log() - size - torch.log(-torch.expm1(-size)) + F.relu(-safe)
    series = -logits / 2 - logits.square() / 24
    exact = torch.where(safe > 0, exact, size.log() - torch.log(-torch.expm1(-size)))
    return _sum(x * logits + torch.where(small, series, exact), batch_ndim)


def _scaled(x: Tensor) -> Tensor:
    """Levels as values in [-1, 1]; floats are that already."""
    return x if x.is_floating_point() else x / 127.5 - 1


def _discretized_logistic(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P of the levels whose value in [-1, 1] is v."""
    inverse = (-log_scale).exp()
    upper, lower = (v - mean + 1 / 255) * inverse, (v - mean - 1 / 255) * inverse
    width = 2 / 255 * inverse
    inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-width))
    inside = torch.where(v < -0.999, F.logsigmoid(upper), inside)
    return torch.where(v > 0.999, F.logsigmoid(-lower), inside)


def discretized_logistic_log_prob(
    x: Tensor, mean: Tensor, log_scale: Tensor, *, batch_ndim: int = 1
) -> Tensor:
    """log p(x).

    >>> discretized_logistic_log_prob(-torch.ones(1, 1), torch.full((1, 1), -9.0), torch.zeros(1))
    tensor([-0.0003])
    """
    return _sum(_discretized_logistic(_scaled(x), mean, log_scale.clamp(min=-7)), batch_ndim)


def _planes(params: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Mixture logits (*, 1, K, H, W), means and log scales (*, C, K, H, W), coefficients."""
    channels = 1 if params.shape[-3] == 3 * k else 3
    logits, rest = params[..., :k, :, :].unsqueeze(-4), params[..., k:, :, :]
    rest = rest.unflatten(-3, (channels, -1))
    mean, log_scale = rest[..., :k, :, :], rest[..., k : 2 * k, :, :].clamp(min=-7)
    return logits, mean, log_scale, None if channels == 1 else rest[..., 2 * k :, :, :].tanh()


def _autoregressive(v: Tensor, mean: Tensor, c: Tensor | None) -> Tensor:
    """The means of the channels given those before, for values v (*, C, 1, H, W)."""
    if c is None:
        return mean
    r, g = v[..., 0, :, :, :], v[..., 1, :, :, :]
    green = mean[..., 1, :, :, :] + c[..., 0, :, :, :] * r
    blue = mean[..., 2, :, :, :] + c[..., 1, :, :, :] * r + c[..., 2, :, :, :] * g
    return torch.stack([mean[..., 0, :, :, :].expand_as(green), green, blue], -4)


def discretized_logistic_mixture_log_prob(
    x: Tensor, params: Tensor, num_mixtures: int = 10, *, batch_ndim: int = 1
) -> Tensor:
    """log p(x).

    >>> discretized_logistic_mixture_log_prob(-torch.ones(1, 1, 1, 1), torch.zeros(1, 30, 1, 1))
    tensor([-1.3104])
    """
    logits, mean, log_scale, c = _planes(params, num_mixtures)
    v = _scaled(x).unsqueeze(-3)
    each = _discretized_logistic(v, _autoregressive(v, mean, c), log_scale).sum(-4)
    mixed = torch.logsumexp(each + logits.squeeze(-4).log_softmax(-3), -3)
    return _sum(mixed, batch_ndim)


def discretized_logistic_mixture_sample(
    params: Tensor, num_mixtures: int = 10, *, generator: Generator | None = None
) -> Tensor:
    """Levels.

    >>> discretized_logistic_mixture_sample(torch.zeros(1, 30, 2, 2)).dtype
    torch.uint8
    """
    with torch.no_grad():
        logits, mean, log_scale, c = _planes(params, num_mixtures)
        noise = torch.rand(logits.shape, generator=generator, device=params.device)
        chosen = (logits - (-noise.log()).log()).argmax(-3, keepdim=True)
        index = chosen.expand(*mean.shape[:-3], 1, *mean.shape[-2:])
        mean, log_scale = (t.gather(-3, index)[..., 0, :, :] for t in (mean, log_scale))
        c = None if c is None else c.gather(-3, index)[..., 0, :, :]
        u = torch.rand(mean.shape, generator=generator, device=params.device)
        noise = log_scale.exp() * torch.logit(u.clamp(1e-6, 1 - 1e-6))
        levels: list[Tensor] = []
        for channel in range(mean.shape[-3]):
            m = mean[..., channel, :, :]
            if c is not None and channel == 1:
                m = m + c[..., 0, :, :] * levels[0]
            if c is not None and channel == 2:
                m = m + c[..., 1, :, :] * levels[0] + c[..., 2, :, :] * levels[1]
            v = ((m + noise[..., channel, :, :] + 1) * 127.5).round().clamp(0, 255)
            levels.append(v / 127.5 - 1)
        return ((torch.stack(levels, -3) + 1) * 127.5).round().to(torch.uint8)


def gaussian_mixture_log_prob(
    z: Tensor,
    means: Tensor,
    logvars: Tensor,
    log_weights: Tensor | None = None,
    *,
    per_dimension: bool = False,
) -> Tensor:
    """log sum_k w_k N(z; m_k, v_k), of each dimension alone with ``per_dimension``.

    >>> gaussian_mixture_log_prob(torch.zeros(1, 1), torch.zeros(2, 1), torch.zeros(2, 1))
    tensor([-0.9189])
    """
    if log_weights is None:
        log_weights = means.new_full((len(means),), -math.log(len(means)))
    else:
        log_weights = log_weights.log_softmax(0)
    parts = []
    for few in z.reshape(-1, z.shape[-1]).split(256):
        gap = (few.unsqueeze(-2) - means).square() * (-logvars).exp()
        each = -0.5 * (gap + logvars + math.log(2 * math.pi))
        if per_dimension:
            parts.append((each + log_weights[:, None]).logsumexp(-2))
        else:
            parts.append((each.sum(-1) + log_weights).logsumexp(-1))
    shape = z.shape if per_dimension else z.shape[:-1]
    return torch.cat(parts).reshape(shape)


def rank1_gaussian_rsample_kl(
    mean: Tensor,
    log_precision: Tensor,
    u: Tensor,
    *,
    batch_ndim: int = 1,
    generator: Generator | None = None,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A sample of N(mean, (diag(exp(log_precision)) + u u^T)^-1) and its KL to N(0, I).

    >>> zero = torch.zeros(3, 2)
    >>> rank1_gaussian_rsample_kl(zero, zero, zero)[1]
    tensor([0., 0., 0.])
    """
    variance = (-log_precision).exp()
    vu = variance * u
    eta = 1 / (1 + (u * vu).sum(-1, keepdim=True))
    eps = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    root = (variance.sqrt() * eps * u).sum(-1, keepdim=True)
    squares = (u * vu).sum(-1, keepdim=True)
    scale = (1 - eta.sqrt()) / squares.clamp(min=torch.finfo(mean.dtype).tiny)
    z = mean + variance.sqrt() * eps - scale * root * vu
    trace = variance.sum(-1) - (eta * vu.square()).sum(-1)
    log_det = -log_precision.sum(-1) + eta.squeeze(-1).log()
    kl = 0.5 * (trace + mean.square().sum(-1) - mean.shape[-1] - log_det)
    return z, kl
