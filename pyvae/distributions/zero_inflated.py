"""Counts with extra zeros."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from pyvae.distributions.base import precise, root
from pyvae.distributions.counts import negative_binomial_counts
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, only
from pyvae.functional import zero_inflated_negative_binomial_log_prob

__all__ = ["ZeroInflatedNegativeBinomial"]


class ZeroInflatedNegativeBinomial(Elementwise):
    r"""Negative binomial counts, of which a share sigmoid(zi_logits) is replaced by zeros.

    .. math:: p(x) = \prod_i \pi_i [x_i = 0] + (1 - \pi_i)\, \mathrm{NB}(x_i; m_i, t_i)

    Lopez et al. 2018 (scVI), supplement, note 3.

    Args:
        mean: m of the negative binomial part, (*batch, *event); this distribution's own ``mean``
            is (1 - pi) m
        inverse_dispersion: t, positive
        zi_logits: log-odds of an extra zero
        log_mean: log m, instead of the mean: exact where a share of a total is next to nothing
        event_ndim: how many trailing dimensions form the event
        validate_args: check parameters and values (this waits for the device); default: as torch

    Parameters are numbers, or tensors that broadcast.

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: not one of mean and log_mean, or nothing for another parameter; shapes that do
            not broadcast; parameters or values out of range where they are validated.

    >>> p = ZeroInflatedNegativeBinomial(torch.ones(3), 1.0, 0.0)
    >>> p.log_prob(torch.zeros(3)).exp()  # 1 / 2 + 1 / 2 * 1 / 2
    tensor([0.7500, 0.7500, 0.7500])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.nonnegative,
        "log_mean": constraints.real,
        "inverse_dispersion": constraints.positive,
        "zi_logits": constraints.real,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        mean: Parameter | None = None,
        inverse_dispersion: Parameter | None = None,
        zi_logits: Parameter | None = None,
        *,
        log_mean: Parameter | None = None,
        event_ndim: int = 0,
        validate_args: bool | None = None,
    ) -> None:
        name = "ZeroInflatedNegativeBinomial"
        self._hold(
            event_ndim,
            validate_args,
            **only(name, mean=mean, log_mean=log_mean),
            **only(name, inverse_dispersion=inverse_dispersion),
            **only(name, zi_logits=zi_logits),
        )

    @property
    def count_mean(self) -> Tensor:
        """The mean m of the negative binomial part."""
        return self._full("mean") if "mean" in self._given else self._full("log_mean").exp()

    @property
    def inverse_dispersion(self) -> Tensor:
        return self._full("inverse_dispersion")

    @property
    def zi_logits(self) -> Tensor:
        return self._full("zi_logits")

    @property
    def mean(self) -> Tensor:
        return torch.sigmoid(-self.zi_logits) * self.count_mean

    @property
    def variance(self) -> Tensor:
        """(1 - pi) m (1 + m / t + pi m)."""
        m = self.count_mean
        more = m / self.inverse_dispersion + torch.sigmoid(self.zi_logits) * m
        return self.mean * (1 + more)

    @property
    def stddev(self) -> Tensor:
        m = self.count_mean
        more = m / self.inverse_dispersion + torch.sigmoid(self.zi_logits) * m
        kept = (logsigmoid(-self.zi_logits) / 2).exp()
        return kept * root(m) * (1 + more).sqrt()

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        given = self._given
        log_prob: Tensor = zero_inflated_negative_binomial_log_prob(
            value,
            given.get("mean"),
            given["inverse_dispersion"],
            given["zi_logits"],
            log_mean=given.get("log_mean"),
            batch_ndim=batch_ndim,
        )
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        counts = negative_binomial_counts(self.count_mean, self.inverse_dispersion, shape)
        kept = torch.bernoulli(torch.sigmoid(-precise(self.zi_logits)).expand(shape)) == 1
        return torch.where(kept, counts, 0.0).to(self.count_mean.dtype)
