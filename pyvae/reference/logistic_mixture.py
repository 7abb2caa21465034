"""Mixtures of discretized logistics over the channels of a pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import compute, sum_event
from .logistic import discretized_logistic_log_mass


def discretized_logistic_mixture_log_prob(
    x: Tensor, params: Tensor, num_mixtures: int, batch_ndim: int = 1
) -> Tensor:
    """log sum_m pi_m prod_c P(x_c; m, c) of each pixel, summed over the pixels of the event."""
    levels = not x.is_floating_point()
    x, params = compute(x, params)
    if levels:
        x = x * (2 / 255) - 1
    logits, rest = params[..., :num_mixtures, :, :], params[..., num_mixtures:, :, :]
    kinds = 3 if x.shape[-3] == 3 else 2  # mean, log-scale, coefficient
    planes = rest.unflatten(-3, (x.shape[-3], kinds, num_mixtures))
    mean, log_scale = planes.select(-4, 0), planes.select(-4, 1)
    if x.shape[-3] == 3:
        k = torch.tanh(planes.select(-4, 2)).unbind(-4)
        red, green = (x.select(-3, c).unsqueeze(-3) for c in (0, 1))
        r, g, b = mean.unbind(-4)
        r, g, b = torch.broadcast_tensors(r, g + k[0] * red, b + k[1] * red + k[2] * green)
        mean = torch.stack((r, g, b), -4)
    mass = discretized_logistic_log_mass(x.unsqueeze(-3), mean, log_scale).sum(-4)
    return sum_event(torch.logsumexp(torch.log_softmax(logits, -3) + mass, -3), batch_ndim)
