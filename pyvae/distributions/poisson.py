"""Poisson counts."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import expm1_rest, one_event, precise, root
from pyvae.distributions.counts import poisson_counts
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, only, steep_log
from pyvae.functional import poisson_log_prob

__all__ = ["Poisson"]


class Poisson(Elementwise):
    r"""Independent counts with rate exp(r).

    .. math:: \log p(x) = \sum_i x_i r_i - e^{r_i} - \log x_i!

    Equal to ``Poisson`` of ``torch.distributions``, or ``Independent(Poisson, event_ndim)``.

    Args:
        rate: exp(r), (*batch, *event); a number too
        validate_args: check parameters and values (this waits for the device); default: as torch
        log_rate: r, instead of the rate
        event_ndim: how many trailing dimensions form the event

    Raises:
        TypeError: the parameter is neither a floating-point tensor nor a number.
        ValueError: not one of rate and log_rate; NaN or a negative rate where parameters are
            validated, a negative or fractional value where values are.

    >>> Poisson(1.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-1., -1.])
    >>> Poisson(log_rate=torch.zeros(3, 2), event_ndim=1).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-2., -2., -2.])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "rate": constraints.nonnegative,
        "log_rate": constraints.real,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        rate: Parameter | None = None,
        validate_args: bool | None = None,
        *,
        log_rate: Parameter | None = None,
        event_ndim: int = 0,
    ) -> None:
        self._hold(event_ndim, validate_args, **only("Poisson", rate=rate, log_rate=log_rate))

    @property
    def rate(self) -> Tensor:
        return self._given["rate"] if "rate" in self._given else self._given["log_rate"].exp()

    @property
    def log_rate(self) -> Tensor:
        return self._given["rate"].log() if "rate" in self._given else self._given["log_rate"]

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        return self.rate

    @property
    def stddev(self) -> Tensor:
        return root(self.rate) if "rate" in self._given else (self.log_rate / 2).exp()

    def _finite_log_rate(self) -> Tensor:
        """The log-rate, in which a given rate of 0 counts as 1e-30."""
        rate = self._given.get("rate")
        return self._given["log_rate"] if rate is None else steep_log(rate)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = poisson_log_prob(value, self._finite_log_rate(), batch_ndim=batch_ndim)
        return log_prob

    def _impossible(self, value: Tensor) -> Tensor | None:
        rate = self._given.get("rate")
        return None if rate is None else (rate == 0) & (value > 0)

    def _rate_and_log(self) -> tuple[Tensor, Tensor]:
        """In float32 at least; the logarithm of a given rate of 0 is that of 1e-30."""
        log_rate, rate = precise(self._finite_log_rate()), self._given.get("rate")
        return log_rate.exp() if rate is None else precise(rate), log_rate

    def _draw(self, shape: torch.Size) -> Tensor:
        return poisson_counts(self._rate_and_log()[0].expand(shape)).to(self._dtype)


@closed_form(Poisson, Poisson)
def _kl_poisson(q: Poisson, p: Poisson) -> Tensor:
    """KL = sum_i e^a (a - b) - e^a + e^b, of log-rates a and b: e^a (e^(b - a) - 1 - (b - a))."""
    one_event(q, p)
    (rate, log_rate), (other, other_log) = q._rate_and_log(), p._rate_and_log()
    more = other_log - log_rate
    near = more.abs() < 1
    each = torch.where(
        near, rate * expm1_rest(torch.where(near, more, 0.0)), other - rate - _xy(rate, more)
    )
    return q._over_event(each.masked_fill((other == 0) & (rate > 0), torch.inf))


def _xy(x: Tensor, y: Tensor) -> Tensor:
    """x y, 0 where x is."""
    return x * torch.where(x == 0, 0.0, y)
