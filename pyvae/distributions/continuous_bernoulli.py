"""Continuous Bernoulli variables on [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.reparameterize.base import uniform_noise
from pyvae.functional import continuous_bernoulli_log_prob

__all__ = ["ContinuousBernoulli"]

#: B_2k / (2k)!, k = 1, 2, ...: l^2 times half the first and so on make log(sinh(l / 2) / (l / 2)).
SERIES = (
    8.33333333333333333e-2,
    -1.38888888888888889e-3,
    3.30687830687830688e-5,
    -8.2671957671957672e-7,
    2.0876756987868099e-8,
    -5.28419013868749318e-10,
    1.33825365306846788e-11,
    -3.38968029632258287e-13,
    8.58606205627784456e-15,
    -2.17486869855806187e-16,
    5.50900282836022952e-18,
)


def _series(logits: Tensor, factor: Callable[[int], float]) -> Tensor:
    """sum_k factor(k) SERIES_k l^(2k - 2), for |l| up to 1."""
    square, total = logits.square(), torch.zeros_like(logits)
    for k in range(len(SERIES), 0, -1):
        total = total * square + factor(k) * SERIES[k - 1]
    return total


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

    >>> ContinuousBernoulli(logits=torch.zeros(3, 2)).log_prob(torch.rand(3, 2)).exp()  # uniform
    tensor([1., 1., 1.])
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
        near, size, e = self._parts()
        small = 0.5 + near * _series(near, lambda k: 1.0)
        down = 1 / size - e / (1 - e)  # of -|l|
        mean = torch.where(self.logits < 0, down, 1 - down)
        return self._chosen(small, mean).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        """1 / l^2 - 1 / (4 sinh^2(l / 2)) = 1/12 - l^2 / 240 + l^4 / 6048 - ..."""
        return self._deviation().square().to(self.logits.dtype)

    @property
    def stddev(self) -> Tensor:
        return self._deviation().to(self.logits.dtype)

    def _deviation(self) -> Tensor:
        near, size, e = self._parts()
        q = size * torch.exp(-size / 2) / (1 - e)  # (l / 2) / sinh(l / 2)
        small = _series(near, lambda k: 2.0 * k - 1).sqrt()
        return self._chosen(small, torch.sqrt(1 - q.square()) / size)

    def entropy(self) -> Tensor:
        """H = -log p(mean), as log p is linear in x.

        With a = |l| it is 1 - a / (e^a - 1) - log(a / (1 - e^-a)).
        """
        near, size, e = self._parts()
        small = near.square() * _series(near, lambda k: 0.5 / k - 1)
        each = self._chosen(small, 1 - size * e / (1 - e) - torch.log(size) + torch.log1p(-e))
        return each.flatten(len(self._batch_shape)).sum(-1) if self._event_ndim else each

    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """In float32 at least: logits up to 1, |l| from 1 on and exp(-|l|), each 1 elsewhere."""
        logits = precise(self.logits)
        size = logits.abs().clamp(max=torch.finfo(logits.dtype).max)
        near = torch.where(size < 1, logits, 1.0)
        size = torch.where(size < 1, 1.0, size)
        return near, size, torch.exp(-size)

    def _chosen(self, small: Tensor, large: Tensor) -> Tensor:
        return torch.where(self.logits.abs() < 1, small, large)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = continuous_bernoulli_log_prob(
            value, self._given["logits"], batch_ndim=batch_ndim
        )
        return log_prob

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """x = log(1 + u (e^l - 1)) / l (*sample_shape, *batch, *event), differentiable."""
        shape = self._extended_shape(torch.Size(sample_shape))
        logits = precise(self.logits).expand(shape)
        u = uniform_noise(shape, logits)
        # x(u; l) = 1 - x(1 - u; -l): negative logits alone cannot overflow
        negative = -logits.abs()
        small = negative > -1e-3
        safe = torch.where(small, torch.full_like(negative, -1.0), negative)
        u = torch.where(logits > 0, 1 - u, u).clamp(max=1 - torch.finfo(u.dtype).eps / 2)  # not 1
        exact = torch.log1p(u * torch.expm1(safe)) / safe
        series = u + negative * u * (1 - u) / 2
        x = torch.where(small, series, exact).clamp(max=1)
        return torch.where(logits > 0, 1 - x, x).to(self.logits.dtype)

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.rsample(shape[: len(shape) - len(self._batch_shape) - self._event_ndim])
