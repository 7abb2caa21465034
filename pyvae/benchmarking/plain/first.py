"""The ELBO's ops as a careful PyTorch user writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from pyvae.benchmarking.plain import elements
from pyvae.benchmarking.plain.elements import LOG_2PI


def gaussian_rsample(
    mean: Tensor, logvar: Tensor, *, sample_shape: Sequence[int] = (), eps: Tensor | None = None
) -> Tensor:
    if eps is None:
        eps = torch.randn((*sample_shape, *mean.shape), dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(0.5 * logvar) * eps


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
) -> Tensor:
    if prior_mean is None or prior_logvar is None:
        return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(-1)
    d = logvar - prior_logvar
    away = (mean - prior_mean).square() * torch.exp(-prior_logvar)
    return -0.5 * (1 + d - away - d.exp()).sum(-1)


def gaussian_rsample_kl(
    mean: Tensor, logvar: Tensor, *, eps: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    return gaussian_rsample(mean, logvar, eps=eps), gaussian_kl(mean, logvar)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    return elements.gaussian_log_prob(x, mean, logvar).sum(-1)


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    num_samples: int,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    *,
    path_derivative: bool = False,
    eps: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    z = gaussian_rsample(mean, logvar, sample_shape=(num_samples,), eps=eps)
    if path_derivative:
        mean, logvar = mean.detach(), logvar.detach()
    if prior_mean is None or prior_logvar is None:
        log_p = -0.5 * (LOG_2PI + z.square()).sum(-1)
    else:
        log_p = gaussian_log_prob(z, prior_mean, prior_logvar)
    return z, log_p - gaussian_log_prob(z, mean, logvar)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    return elements.bernoulli_log_prob(x, logits).sum(-1)


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    uniform = logits.abs() < 1e-2  # the quotient is 0 / 0 at 0: two terms of its series
    safe = torch.where(uniform, 1.0, logits)
    log_norm = torch.where(
        uniform, math.log(2) + logits.square() / 12, torch.log(safe / torch.tanh(safe / 2))
    )
    return (log_norm - binary_cross_entropy_with_logits(logits, x, reduction="none")).sum(-1)


def laplace_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    return -((x - mean).abs() * torch.exp(-log_scale) + log_scale + math.log(2)).sum(-1)


def discretized_logistic_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    if x.dtype == torch.uint8:
        x = x.to(mean.dtype) / 127.5 - 1
    inverse_scale = torch.exp(-log_scale.clamp(min=-7))
    upper, lower = (x - mean + 1 / 255) * inverse_scale, (x - mean - 1 / 255) * inverse_scale
    log_upper, log_lower = -softplus(-upper), -softplus(lower)
    inside = log_upper + log_lower + torch.log(-torch.expm1(lower - upper))
    terms = torch.where(x < -0.999, log_upper, torch.where(x > 0.999, log_lower, inside))
    return terms.sum(-1)


def poisson_log_prob(x: Tensor, log_rate: Tensor) -> Tensor:
    return (x * log_rate - torch.exp(log_rate) - torch.lgamma(x + 1)).sum(-1)


def negative_binomial_log_prob(x: Tensor, mean: Tensor, inverse_dispersion: Tensor) -> Tensor:
    return elements.negative_binomial_log_prob(x, mean, inverse_dispersion).sum(-1)


def zero_inflated_negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor
) -> Tensor:
    return elements.zero_inflated_negative_binomial_log_prob(
        x, mean, inverse_dispersion, zi_logits
    ).sum(-1)


def negative_binomial_log_prob_log_mean(
    x: Tensor, log_mean: Tensor, inverse_dispersion: Tensor
) -> Tensor:
    return negative_binomial_log_prob(x, log_mean.exp(), inverse_dispersion)


def zero_inflated_negative_binomial_log_prob_log_mean(
    x: Tensor, log_mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor
) -> Tensor:
    return zero_inflated_negative_binomial_log_prob(
        x, log_mean.exp(), inverse_dispersion, zi_logits
    )


def bernoulli_elbo_loss(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, beta: Tensor | float = 1.0
) -> Tensor:
    reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum()
    return (reconstruction + beta * kl) / x.shape[0]


def gaussian_elbo_loss(
    x: Tensor,
    decoded_mean: Tensor,
    decoded_logvar: Tensor,
    mean: Tensor,
    logvar: Tensor,
    beta: Tensor | float = 1.0,
) -> Tensor:
    kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum()
    error = (x - decoded_mean).square() * torch.exp(-decoded_logvar)
    return (0.5 * (LOG_2PI + decoded_logvar + error).sum() + beta * kl) / x.shape[0]


def negative_elbo(
    log_prob: Tensor, kl: Tensor, beta: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    log_likelihood, kl = log_prob.mean(), kl.mean()
    terms = torch.stack([log_likelihood - kl, log_likelihood, kl])
    return beta * kl - log_likelihood, terms
