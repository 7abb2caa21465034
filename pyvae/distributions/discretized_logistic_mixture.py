"""Pixels of 256 levels as mixtures of logistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise
from pyvae.distributions.checked import Checked
from pyvae.distributions.discretized_logistic import LEVELS, LOG_SCALE_MIN, as_scaled
from pyvae.functional import (
    discretized_logistic_mixture_log_prob,
    discretized_logistic_mixture_sample,
)

__all__ = ["DiscretizedLogisticMixture"]

Self = TypeVar("Self", bound="DiscretizedLogisticMixture")


class DiscretizedLogisticMixture(Checked):
    r"""Images of levels 0 .. 255, each pixel a mixture of discretized logistics.

    .. math:: P(x) = \prod_\text{pixels} \sum_k w_k \prod_c P(x_c; m_{kc}(x_{<c}), s_{kc})

    The three channels of a colour pixel share their component, and the means of green and blue move
    with the channels before: by tanh(a) red, and by tanh(b) red + tanh(c) green, on the scale from
    -1 to 1. Salimans et al. 2017, section 2.1 and 2.2; see :class:`DiscretizedLogistic`.

    Args:
        params: (*batch, planes, H, W): first the K logits of the weights, then for each channel K
            means, K log-scales and, in colour, K coefficients (red holds a, green b, blue c): 3 K
            planes for grey images, 10 K for colour
        num_mixtures: K
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the parameters are not a floating-point tensor.
        ValueError: another number of planes, NaN among validated parameters, or a validated value
            that is not a level.

    >>> p = DiscretizedLogisticMixture(torch.zeros(4, 100, 32, 32))
    >>> p.batch_shape, p.event_shape
    (torch.Size([4]), torch.Size([3, 32, 32]))
    >>> p.sample().dtype
    torch.uint8
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"params": constraints.real}
    variable = constraints.integer_interval(0, LEVELS - 1)
    values = "a whole number from 0 to 255"
    has_parts = True

    def __init__(
        self, params: Tensor, num_mixtures: int = 10, *, validate_args: bool | None = None
    ) -> None:
        name = "DiscretizedLogisticMixture"
        if not isinstance(params, Tensor) or not params.is_floating_point():
            got = params.dtype if isinstance(params, Tensor) else type(params).__name__
            raise TypeError(f"{name}: params must be a floating-point tensor, got {got}")
        planes = {3 * num_mixtures: 1, 10 * num_mixtures: 3}
        if params.ndim < 3 or params.shape[-3] not in planes:
            raise ValueError(
                f"{name}: params must be (*batch, {3 * num_mixtures} or {10 * num_mixtures}, H, W) "
                f"for num_mixtures={num_mixtures}, got {tuple(params.shape)}"
            )
        self.num_mixtures = num_mixtures
        self._channels = planes[params.shape[-3]]
        size = torch.Size([self._channels, *params.shape[-2:]])
        self._split(params.shape[:-3] + size, 3, validate_args, {"params": params})

    @property
    def params(self) -> Tensor:
        return self._given["params"]

    @property
    def mean(self) -> Tensor:
        """The mean level of the logistics, clipped to 0 .. 255 but not rounded.

        Within half a level of the mean for grey images. In colour the channels before are taken at
        their means. Differentiable.
        """
        k = self.num_mixtures
        params = precise(self.params)
        weights = params[..., :k, :, :].softmax(-3)
        each = params[..., k:, :, :].unflatten(-3, (self._channels, -1))
        means: list[Tensor] = []
        for channel in each.unbind(-4):
            m, s = channel[..., :k, :, :], channel[..., k : 2 * k, :, :]
            moves = [c[..., 2 * k :, :, :].tanh() for c in each.unbind(-4)]
            if len(means) == 1:
                m = m + moves[0] * means[0]
            elif len(means) == 2:
                m = m + moves[1] * means[0] + moves[2] * means[1]
            means.append(_clipped_mean(m, s))
        mean = (torch.stack(means, -4) * weights.unsqueeze(-4)).sum(-3)
        return ((mean + 1) * 127.5).to(self.params.dtype)

    @property
    def param_shape(self) -> torch.Size:
        return self.params.shape

    def _draw(self, shape: torch.Size) -> Tensor:
        params = self.params.expand(*shape[:-3], *self.params.shape[-3:])
        levels: Tensor = discretized_logistic_mixture_sample(params, self.num_mixtures)
        return levels

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = discretized_logistic_mixture_log_prob(
            as_scaled(value), self.params, self.num_mixtures, batch_ndim=batch_ndim
        )
        return log_prob

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        """Of whole pixels: those of which all channels were observed.

        Raises:
            ValueError: the mask splits the channels of a pixel, where values are validated.
        """
        pixels = mask.all(-3, keepdim=True) if mask.ndim > 2 else mask
        if self._validate_args and value.numel():
            self._validate_sample(value, mask)
            if bool((pixels != mask).any()):
                raise ValueError(
                    "DiscretizedLogisticMixture.log_prob: the channels of a pixel are observed "
                    "together, got a mask that splits them"
                )
        n = max(value.ndim, len(self.batch_shape) + 3) - 3
        scaled = as_scaled(torch.where(mask, value, value.new_zeros(())))
        log_prob: Tensor = discretized_logistic_mixture_log_prob(
            scaled, self.params, self.num_mixtures, mask=pixels, batch_ndim=n
        )
        return log_prob

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        new._given["params"] = self.params.expand(*batch_shape, *self.params.shape[-3:])
        new.num_mixtures, new._channels = self.num_mixtures, self._channels
        return new


def _clipped_mean(mean: Tensor, log_scale: Tensor) -> Tensor:
    """The mean of a logistic variable clipped to [-1, 1]: -1 + the integral of P(z > t).

    For precision r and m >= 0 it is m + [softplus(-(m + 1) r) - softplus((m - 1) r)] / r, of which
    a broad variable would leave no digits: there (2 / r) atanh(tanh(m r / 2) tanh(r / 2)).
    """
    sign = 1 - 2 * (mean < 0).to(mean.dtype)
    m, rate = mean * sign, torch.exp(-log_scale.clamp(min=LOG_SCALE_MIN))
    broad = log_scale > 0
    r = torch.where(broad, rate, 1.0)
    slope = torch.tanh(r.clamp(min=1e-6) / 2) / r.clamp(min=1e-6)  # 1/2 for the broadest
    t = torch.tanh(torch.where(broad, m * rate, 0.0) / 2) * slope
    loose = 2 * t * _atanhc(t * r)
    r = torch.where(broad, 1.0, rate)
    inside = m.clamp(max=2) - _softplus((m.clamp(max=2) - 1) * r) / r
    outside = 1 - _softplus((1 - m.clamp(min=1)) * r) / r
    tight = torch.where(m < 2, inside, outside) + _softplus(-(m + 1) * r) / r
    return torch.where(broad, loose, tight) * sign


def _softplus(x: Tensor) -> Tensor:
    return F.softplus(x, threshold=40)


def _atanhc(x: Tensor) -> Tensor:
    """atanh(x) / x."""
    small = x.abs() < 1e-4
    safe = torch.where(small, 0.5, x)
    return torch.where(small, 1 + x.square() / 3, torch.atanh(safe) / safe)
