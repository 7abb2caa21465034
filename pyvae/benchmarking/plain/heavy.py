"""The heavier densities as a careful PyTorch user writes them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, logsigmoid, softplus

LOG_2PI = math.log(2 * math.pi)


def discretized_logistic_mixture_log_prob(
    x: Tensor, params: Tensor, num_mixtures: int = 10
) -> Tensor:
    """Salimans et al. (2017), for colour images scaled to [-1, 1]."""
    b, _, h, w = x.shape
    logits = params[:, :num_mixtures]
    rest = params[:, num_mixtures:].view(b, 3, 3 * num_mixtures, h, w)
    means, log_scales, coefficients = rest.chunk(3, dim=2)
    coefficients = torch.tanh(coefficients)
    log_scales = log_scales.clamp(min=-7)
    x = x.unsqueeze(2)
    red, green = x[:, 0], x[:, 1]
    means = torch.stack(
        [
            means[:, 0],
            means[:, 1] + coefficients[:, 0] * red,
            means[:, 2] + coefficients[:, 1] * red + coefficients[:, 2] * green,
        ],
        dim=1,
    )
    inverse = torch.exp(-log_scales)
    upper, lower = inverse * (x - means + 1 / 255), inverse * (x - means - 1 / 255)
    mass = torch.sigmoid(upper) - torch.sigmoid(lower)
    inside = torch.log(mass.clamp(min=1e-12))
    edge = torch.where(x > 0.999, -softplus(lower), inside)
    log_mass = torch.where(x < -0.999, logsigmoid(upper), edge)
    total = log_mass.sum(1) + log_softmax(logits, dim=1)
    return torch.logsumexp(total, dim=1).sum((1, 2))


def gaussian_mixture_log_prob(
    z: Tensor, means: Tensor, logvars: Tensor, log_weights: Tensor | None = None
) -> Tensor:
    away = (z.unsqueeze(-2) - means).square() * torch.exp(-logvars)
    each = -0.5 * (LOG_2PI + logvars + away).sum(-1)
    weights = -math.log(len(means)) if log_weights is None else log_weights
    return torch.logsumexp(each + weights, dim=-1)


def zero_inflated_negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor
) -> Tensor:
    """Lopez et al. (2018), without epsilons."""
    theta = inverse_dispersion
    log_theta_mean = torch.log(theta + mean)
    none = theta * (torch.log(theta) - log_theta_mean)  # log NB(0)
    zero = softplus(none - zi_logits) - softplus(-zi_logits)
    some = (
        -softplus(-zi_logits)
        - zi_logits
        + none
        + x * (torch.log(mean) - log_theta_mean)
        + torch.lgamma(x + theta)
        - torch.lgamma(theta)
        - torch.lgamma(x + 1)
    )
    return torch.where(x == 0, zero, some).sum(-1)


def rank1_gaussian_rsample_kl(
    mean: Tensor, log_precision: Tensor, u: Tensor, *, eps: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Rezende et al. (2014), without a matrix."""
    if eps is None:
        eps = torch.randn_like(mean)
    variance = torch.exp(-log_precision)
    scaled = variance * u  # D^-1 u
    s = (u * scaled).sum(-1, keepdim=True)
    root = torch.sqrt(1 + s)
    noise = torch.sqrt(variance) * eps
    z = mean + noise - scaled * (u * noise).sum(-1, keepdim=True) / (root * (root + 1))
    trace = variance.sum(-1) - (scaled.square() / (1 + s)).sum(-1)
    log_det = -log_precision.sum(-1) - torch.log1p(s).squeeze(-1)
    kl = 0.5 * (trace + mean.square().sum(-1) - log_det - mean.shape[-1])
    return z, kl


def categorical_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    each = cross_entropy(logits.flatten(0, -2), x.flatten().long(), reduction="none")
    return -each.view(x.shape).flatten(1).sum(-1)
