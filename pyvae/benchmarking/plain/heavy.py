"""The heavier densities as a careful PyTorch user writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

LOG_2PI = math.log(2 * math.pi)


def discretized_logistic_mixture_log_prob(x: Tensor, params: Tensor, num_mixtures: int) -> Tensor:
    if not x.is_floating_point():
        x = x * (2 / 255) - 1
    logits, rest = params.split([num_mixtures, params.shape[1] - num_mixtures], 1)
    rest = rest.unflatten(1, (x.shape[1], -1, num_mixtures))
    means, precision = rest[:, :, 0], torch.exp(-rest[:, :, 1].clamp(min=-7))
    x = x.unsqueeze(2)
    if x.shape[1] == 3:
        k = torch.tanh(rest[:, :, 2])
        green = means[:, 1] + k[:, 0] * x[:, 0]
        blue = means[:, 2] + k[:, 1] * x[:, 0] + k[:, 2] * x[:, 1]
        means = torch.stack((means[:, 0], green, blue), 1)
    below = logsigmoid(precision * (x - means + 1 / 255))
    above = logsigmoid(precision * (means - x + 1 / 255))
    inside = below + above + torch.log(-torch.expm1(precision * (-2 / 255)))
    log_probs = torch.where(x < -0.999, below, torch.where(x > 0.999, above, inside)).sum(1)
    return torch.logsumexp(torch.log_softmax(logits, 1) + log_probs, 1).sum((1, 2))


def gaussian_mixture_log_prob(
    z: Tensor,
    means: Tensor,
    logvars: Tensor,
    log_weights: Tensor,
    per_dimension: bool = False,
) -> Tensor:
    away = z.unsqueeze(-2) - means
    terms = -0.5 * (LOG_2PI + logvars + away.square() * torch.exp(-logvars))
    if per_dimension:
        return torch.logsumexp(log_weights.unsqueeze(-1) + terms, -2)
    return torch.logsumexp(log_weights + terms.sum(-1), -1)


def mmd(
    x: Tensor,
    y: Tensor,
    *,
    kernel: str = "rbf",
    scales: Sequence[float] = (1.0,),
    unbiased: bool = False,
) -> Tensor:
    def similarity(a: Tensor, b: Tensor) -> Tensor:
        distance = (a.unsqueeze(1) - b).square().sum(-1)
        total = torch.zeros_like(distance)
        for scale in scales:
            if kernel == "rbf":
                total = total + torch.exp(-distance / (2 * scale**2))
            else:
                c = 2 * x.shape[1] * scale**2
                total = total + c / (c + distance)
        return total

    def within(a: Tensor) -> Tensor:
        k, n = similarity(a, a), len(a)
        return (k.sum() - k.diagonal().sum()) / (n * (n - 1)) if unbiased else k.mean()

    return within(x) + within(y) - 2 * similarity(x, y).mean()


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
