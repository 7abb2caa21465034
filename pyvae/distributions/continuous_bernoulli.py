"""Continuous Bernoulli variables on [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import broadcast, one_event, precise
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, log_odds, only, open_unit_interval
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

    Equal to ``ContinuousBernoulli`` of ``torch.distributions``, or
    ``Independent(ContinuousBernoulli, event_ndim)``, without its clamps and its series about 1/2.

    Args:
        probs: sigmoid(l), strictly between 0 and 1, where there is a density, (*batch, *event); a
            number too
        logits: l, instead of probs
        validate_args: check parameters and values (this waits for the device); default: as torch
        event_ndim: how many trailing dimensions form the event

    Raises:
        TypeError: the parameter is neither a floating-point tensor nor a number.
        ValueError: not one of probs and logits; NaN, or a probability out of its range, where
            parameters are validated, a value outside [0, 1] where values are.

    >>> ContinuousBernoulli(0.5).log_prob(torch.rand(3)).exp()  # uniform
    tensor([1., 1., 1.])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "probs": open_unit_interval,
        "logits": constraints.real,
    }
    variable = constraints.unit_interval
    values = "in [0, 1]"

    def __init__(
        self,
        probs: Parameter | None = None,
        logits: Parameter | None = None,
        validate_args: bool | None = None,
        *,
        event_ndim: int = 0,
    ) -> None:
        given = only("ContinuousBernoulli", probs=probs, logits=logits)
        self._hold(event_ndim, validate_args, **given)

    @property
    def logits(self) -> Tensor:
        return self._logits().to(self._dtype)

    def _logits(self) -> Tensor:
        """As they were given, or in float32 at least."""
        logits = self._given.get("logits")
        return log_odds(precise(self._given["probs"])) if logits is None else logits

    @property
    def probs(self) -> Tensor:
        return self._given["probs"] if "probs" in self._given else torch.sigmoid(self.logits)

    @property
    def mean(self) -> Tensor:
        """1 / (1 - e^-l) - 1 / l = 1/2 + l / 12 - l^3 / 720 + ..."""
        return self._mean().to(self._dtype)

    def _mean(self) -> Tensor:
        near, size, e = self._parts()
        small = 0.5 + near * _series(near, lambda k: 1.0)
        down = 1 / size - e / (1 - e)  # of -|l|
        mean = torch.where(self._logits() < 0, down, 1 - down)
        return self._chosen(small, mean)

    @property
    def variance(self) -> Tensor:
        """1 / l^2 - 1 / (4 sinh^2(l / 2)) = 1/12 - l^2 / 240 + l^4 / 6048 - ..."""
        return self._deviation().square().to(self._dtype)

    @property
    def stddev(self) -> Tensor:
        return self._deviation().to(self._dtype)

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
        large = 1 - size * e / (1 - e) - torch.log(size) + torch.log1p(-e)
        return self._over_event(self._chosen(small, large))

    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """In float32 at least: logits up to 1, |l| from 1 on and exp(-|l|), each 1 elsewhere."""
        logits = precise(self._logits())
        size = logits.abs().clamp(max=torch.finfo(logits.dtype).max)
        near = torch.where(size < 1, logits, 1.0)
        size = torch.where(size < 1, 1.0, size)
        return near, size, torch.exp(-size)

    def _chosen(self, small: Tensor, large: Tensor) -> Tensor:
        return torch.where(self._logits().abs() < 1, small, large)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = continuous_bernoulli_log_prob(
            value, self._logits(), batch_ndim=batch_ndim
        )
        return log_prob

    def cdf(self, value: Tensor | float) -> Tensor:
        """P(x <= value) = (e^(l value) - 1) / (e^l - 1), of single variables."""
        self._single("cdf")
        value = precise(self._as_value(value)).clamp(0, 1)
        near, size, e = self._parts()
        small = value * torch.exp(near * (value - 1) / 2 + _log_sinhc(near * value))
        small = small * torch.exp(-_log_sinhc(near))
        positive = self._logits() > 0
        x = torch.where(positive, 1 - value, value)  # F(x; l) = 1 - F(1 - x; -l)
        large = torch.expm1(-size * x) / (e - 1)
        large = torch.where(positive, 1 - large, large)
        return self._chosen(small, large).to(self._dtype)

    def icdf(self, value: Tensor | float) -> Tensor:
        """The quantile of a probability, of single variables."""
        self._single("icdf")
        return self._quantile(precise(self._as_value(value))).to(self._dtype)

    def _quantile(self, u: Tensor) -> Tensor:
        """log(1 + u (e^l - 1)) / l; about 0 by the first four cumulants of a Bernoulli variable."""
        logits = precise(self._logits())
        # x(u; l) = 1 - x(1 - u; -l): negative logits alone cannot overflow
        negative = -logits.abs()
        small = negative > -1e-3
        safe = torch.where(small, torch.full_like(negative, -1.0), negative)
        u = torch.where(logits > 0, 1 - u, u)
        exact = torch.log1p(u.clamp(max=1 - torch.finfo(u.dtype).eps / 2) * torch.expm1(safe))
        exact = torch.where(u < 1, exact / safe, 1.0)
        spread = u * (1 - u)
        near = torch.where(small, negative, 0.0)
        series = 1 - 2 * u + near * (1 - 6 * spread) / 4
        series = u + near * spread / 2 * (1 + near * series / 3)
        x = torch.where(small, series, exact).clamp(max=1)
        return torch.where(logits > 0, 1 - x, x)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """x = log(1 + u (e^l - 1)) / l (*sample_shape, *batch, *event), differentiable."""
        shape = self._extended_shape(torch.Size(sample_shape))
        return self._quantile(uniform_noise(shape, precise(self._logits()))).to(self._dtype)


def _log_sinhc(x: Tensor) -> Tensor:
    """log(sinh(x / 2) / (x / 2)), for |x| up to 1."""
    return x.square() * _series(x, lambda k: 0.5 / k)


@closed_form(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli(q: ContinuousBernoulli, p: ContinuousBernoulli) -> Tensor:
    """KL = E_q[log q(x) - log p(x)]; both are linear in x, so the mean of q stands for x."""
    one_event(q, p)
    n = len(broadcast(q.batch_shape, p.batch_shape))
    return -q.entropy() - p._log_density(q._mean(), n)
