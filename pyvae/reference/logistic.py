"""Logistics on the 256 levels of a pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import compute, sum_event

HALF_BIN = 1 / 255
LOWEST_LOG_SCALE = -7.0


def discretized_logistic_log_mass(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log [sigmoid(a) - sigmoid(b)], a and b = (x - mean +- 1/255) / s, s = exp(log_scale).

    The difference is sigmoid(a) sigmoid(-b) (1 - exp(b - a)), whose logarithm cancels nowhere. The
    lowest bin has all the mass below, the highest all above.
    """
    log_scale = torch.where(log_scale < LOWEST_LOG_SCALE, LOWEST_LOG_SCALE, log_scale)  # NaN stays
    precision = torch.exp(-log_scale)
    below = logsigmoid((x - mean + HALF_BIN) * precision)
    above = logsigmoid((mean - x + HALF_BIN) * precision)
    width = 2 * HALF_BIN * precision
    broad = width < torch.finfo(width.dtype).eps ** 0.5  # where log(1 - exp(-w)) is log w - w / 2
    gap = torch.log(-torch.expm1(-torch.where(broad, 1.0, width)))
    log_width = math.log(2 * HALF_BIN) - log_scale
    inside = below + above + torch.where(broad, log_width - width / 2, gap)
    first, last = HALF_BIN - 1, 1 - HALF_BIN  # the innermost bounds of the edge bins
    return torch.where(x < first, below, torch.where(x > last, above, inside))


def discretized_logistic_log_prob(
    x: Tensor, mean: Tensor, log_scale: Tensor, batch_ndim: int = 1
) -> Tensor:
    """The log mass of each element's bin, summed.

    x is a uint8 level k, which stands for 2 k / 255 - 1, or a float from -1 to 1.
    """
    levels = x.dtype == torch.uint8
    x, mean, log_scale = compute(x, mean, log_scale)
    x = 2 * x / 255 - 1 if levels else x
    return sum_event(discretized_logistic_log_mass(x, mean, log_scale), batch_ndim)
