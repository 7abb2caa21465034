"""Laplace variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions import reparameterize
from pyvae.distributions.base import precise
from pyvae.distributions.elementwise import Elementwise
from pyvae.functional import laplace_log_prob

__all__ = ["Laplace"]


class Laplace(Elementwise):
    r"""Independent variables with density exp(-|x - m| / b) / 2b, over the trailing dimensions.

    .. math:: \log p(x) = -\sum_i \log 2 + s_i + |x_i - m_i| e^{-s_i}

    Args:
        mean: m, (*batch, *event)
        log_scale: s = log b, anything that broadcasts with the mean; a number too
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the mean is not a floating-point tensor.
        ValueError: shapes that do not broadcast, or NaN among validated parameters or values.

    >>> Laplace(torch.zeros(3, 1), 0.0).log_prob(torch.zeros(1))
    tensor([-0.6931, -0.6931, -0.6931])
    """

    has_rsample = True
    parameters: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.real,
        "log_scale": constraints.real,
    }
    variable = constraints.real

    def __init__(
        self,
        mean: Tensor,
        log_scale: Tensor | float,
        *,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, mean=mean, log_scale=log_scale)

    @property
    def mean(self) -> Tensor:
        return self._full("mean")

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def log_scale(self) -> Tensor:
        return self._full("log_scale")

    @property
    def variance(self) -> Tensor:
        return 2 * (2 * self.log_scale).exp()

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.log_scale.exp()

    def entropy(self) -> Tensor:
        """H = sum_i 1 + log 2 b_i."""
        each = 1 + math.log(2) + precise(self.log_scale)
        n = len(self._batch_shape)
        return each.flatten(n).sum(-1) if self._event_ndim else each

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        given = self._given
        log_prob: Tensor = laplace_log_prob(
            value, given["mean"], given["log_scale"], batch_ndim=batch_ndim
        )
        return log_prob

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """z = m + b eps (*sample_shape, *batch, *event), differentiable."""
        z = reparameterize.laplace(
            self.mean, precise(self.log_scale).exp(), sample_shape=tuple(sample_shape)
        )
        return z.to(torch.promote_types(self.mean.dtype, self.log_scale.dtype))

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.rsample(shape[: len(shape) - len(self._batch_shape) - self._event_ndim])
