"""Densities of which each element is an event of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

LOG_2PI = math.log(2 * math.pi)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    return -binary_cross_entropy_with_logits(logits, x, reduction="none")


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * torch.exp(-logvar))


def negative_binomial_log_prob(x: Tensor, mean: Tensor, inverse_dispersion: Tensor) -> Tensor:
    theta = inverse_dispersion
    log_total = torch.log(theta + mean)
    return (
        theta * (torch.log(theta) - log_total)
        + x * (torch.log(mean) - log_total)
        + torch.lgamma(x + theta)
        - torch.lgamma(theta)
        - torch.lgamma(x + 1)
    )


def zero_inflated_negative_binomial_log_prob(
    x: Tensor, mean: Tensor, inverse_dispersion: Tensor, zi_logits: Tensor
) -> Tensor:
    theta = inverse_dispersion
    zero = softplus(theta * (torch.log(theta) - torch.log(theta + mean)) - zi_logits)
    counted = negative_binomial_log_prob(x, mean, theta) - zi_logits
    return torch.where(x == 0, zero, counted) - softplus(-zi_logits)
