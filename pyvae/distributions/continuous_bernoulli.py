"""Continuous Bernoulli variables on [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.reparameterize.base import at_least_float, uniform_noise
from pyvae.functional import continuous_bernoulli_log_prob

__all__ = ["ContinuousBernoulli"]

SMALL = 0.1  # below it the moments come from their series in the logits


class ContinuousBernoulli(Elementwise):
    r"""Independent variables on [0, 1] with density proportional to exp(l x).

    .. math:: \log p(x) = \sum_i l_i x_i + \log \frac{l_i}{e^{l_i} - 1}

    Unlike the Bernoulli of grey levels this is a density (Loaiza-Ganem & Cunningham 2019, eq. 2).

    Args:
        logits: l, (*batch, *event)
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the logits are not a floating-point tensor.
        ValueError: NaN among validated logits, or a validated value outside [0, 1].

    >>> ContinuousBernoulli(logits=torch.zeros(3, 2)).log_prob(torch.rand(3, 2))  # uniform
    tensor([0., 0., 0.])
    """

    has_rsample = True
    parameters: ClassVar[dict[str, constraints.Constraint]] = {"logits": constraints.real}
    variable = constraints.unit_interval
    values = "in [0, 1]"

    def __init__(
        self,
        *,
        logits: Tensor,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, logits=logits)

    @property
    def logits(self) -> Tensor:
        return self._full("logits")

    @property
    def mean(self) -> Tensor:
        """1 / (1 - e^-l) - 1 / l = 1/2 + l / 12 - l^3 / 720 + ..."""
        large, small = self._safe()
        exact = -1 / torch.expm1(-large) - 1 / large
        x = self.logits
        series = 0.5 + x / 12 - x**3 / 720 + x**5 / 30240
        return torch.where(small, series, exact)

    @property
    def variance(self) -> Tensor:
        """1 / l^2 - 1 / (4 sinh^2(l / 2)) = 1/12 - l^2 / 240 + l^4 / 6048 - ..."""
        large, small = self._safe()
        size = large.abs()
        exact = large**-2 - torch.exp(-size) / torch.expm1(-size).square()
        x = self.logits
        series = 1 / 12 - x**2 / 240 + x**4 / 6048
        return torch.where(small, series, exact)

    def entropy(self) -> Tensor:
        """H = -log p(mean): log p is linear in x."""
        return -self._log_prob(self.mean, len(self._batch_shape))

    def _safe(self) -> tuple[Tensor, Tensor]:
        """The logits with small ones replaced, and which they are."""
        small = self.logits.abs() < SMALL
        return torch.where(small, torch.ones_like(self.logits), self.logits), small

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = continuous_bernoulli_log_prob(
            value, self._given["logits"], batch_ndim=batch_ndim
        )
        return log_prob

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """x = log(1 + u (e^l - 1)) / l (*sample_shape, *batch, *event), differentiable."""
        shape = self._extended_shape(torch.Size(sample_shape))
        logits = self.logits.expand(shape)
        u = uniform_noise(shape, logits.new_empty((), dtype=at_least_float(logits.dtype)))
        # x(u; l) = 1 - x(1 - u; -l): negative logits alone cannot overflow
        negative = -logits.abs()
        small = negative > -1e-3
        safe = torch.where(small, torch.full_like(negative, -1.0), negative)
        u = torch.where(logits > 0, 1 - u, u)
        exact = torch.log1p(u * torch.expm1(safe)) / safe
        series = u + negative * u * (1 - u) / 2
        x = torch.where(small, series, exact)
        return torch.where(logits > 0, 1 - x, x)

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.rsample(shape[: len(shape) - len(self._batch_shape) - self._event_ndim])
