"""Logistics on the 256 levels of a pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, sum_event


def discretized_logistic_log_prob(
    x: Tensor, mean: Tensor, log_scale: Tensor, batch_ndim: int = 1
) -> Tensor:
    """log [sigmoid((x + h - m) / s) - sigmoid((x - h - m) / s)], h = 1 / 255, summed.

    x is a uint8 level k, which stands for 2 k / 255 - 1, or a float from -1 to 1. The first (last)
    bin holds everything below (above) it. The log-scale is -7 at least.
    """
    levels = x.dtype == torch.uint8
    x, mean, log_scale = compute(x, mean, log_scale)
    x = 2 * x / 255 - 1 if levels else x
    inverse_scale = torch.exp(-torch.where(log_scale < -7, -7.0, log_scale))  # NaN stays
    upper, lower = ((x - mean + h) * inverse_scale for h in (1 / 255, -1 / 255))
    from_below, from_above = logsigmoid(upper), logsigmoid(-lower)
    width = torch.log(-torch.expm1(-2 / 255 * inverse_scale))
    inside = from_below + from_above + width
    terms = torch.where(x > 254 / 255, from_above, inside)
    return sum_event(torch.where(x < -254 / 255, from_below, terms), batch_ndim)
