"""Poisson counts."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise
from pyvae.distributions.counts import poisson_counts
from pyvae.distributions.elementwise import Elementwise
from pyvae.functional import poisson_log_prob

__all__ = ["Poisson"]


class Poisson(Elementwise):
    r"""Independent counts with rate exp(log_rate), over the trailing dimensions.

    .. math:: \log p(x) = \sum_i x_i r_i - e^{r_i} - \log x_i!

    Args:
        log_rate: (*batch, *event)
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the log-rate is not a floating-point tensor.
        ValueError: NaN among validated parameters, or a negative or fractional validated value.

    >>> p = Poisson(torch.zeros(3, 2))
    >>> p.log_prob(torch.tensor([0.0, 1.0]))
    tensor([-2., -2., -2.])
    """

    parameters: ClassVar[dict[str, constraints.Constraint]] = {"log_rate": constraints.real}
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        log_rate: Tensor,
        *,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, log_rate=log_rate)

    @property
    def log_rate(self) -> Tensor:
        return self._full("log_rate")

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def variance(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def stddev(self) -> Tensor:
        return (self.log_rate / 2).exp()

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        log_prob: Tensor = poisson_log_prob(value, self._given["log_rate"], batch_ndim=batch_ndim)
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        rate = precise(self.log_rate).exp()
        return poisson_counts(rate.expand(shape)).to(self.log_rate.dtype)
