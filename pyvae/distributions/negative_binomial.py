"""Counts that vary more than Poisson's, without and with extra zeros."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from pyvae.distributions.base import precise, root
from pyvae.distributions.counts import negative_binomial_counts
from pyvae.distributions.elementwise import Elementwise
from pyvae.functional import (
    negative_binomial_log_prob,
    zero_inflated_negative_binomial_log_prob,
)

__all__ = ["NegativeBinomial", "ZeroInflatedNegativeBinomial"]


class NegativeBinomial(Elementwise):
    r"""Independent counts of mean m and variance m + m^2 / t, over the trailing dimensions.

    .. math::
        p(x) = \prod_i \frac{\Gamma(x_i + t_i)}{\Gamma(t_i)\, x_i!}
            \left(\frac{t_i}{t_i + m_i}\right)^{t_i} \left(\frac{m_i}{t_i + m_i}\right)^{x_i}

    Poisson counts whose rates are gamma variables of shape t and mean m; as t grows they become
    Poisson counts. Lopez et al. 2018 (scVI), supplement, note 3.

    Args:
        mean: m, not negative, (*batch, *event)
        inverse_dispersion: t, positive, anything that broadcasts with the mean; a number too
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the mean is not a floating-point tensor.
        ValueError: shapes that do not broadcast, or validated parameters or values out of range.

    >>> p = NegativeBinomial(torch.ones(3, 2), 1.0)
    >>> p.log_prob(torch.zeros(2))  # (1 / 2)^2
    tensor([-1.3863, -1.3863, -1.3863])
    """

    parameters: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.nonnegative,
        "inverse_dispersion": constraints.positive,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        mean: Tensor,
        inverse_dispersion: Tensor | float,
        *,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, mean=mean, inverse_dispersion=inverse_dispersion)

    @property
    def mean(self) -> Tensor:
        return self._full("mean")

    @property
    def inverse_dispersion(self) -> Tensor:
        return self._full("inverse_dispersion")

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 + self.mean / self.inverse_dispersion)

    @property
    def stddev(self) -> Tensor:
        return root(self.mean) * (1 + self.mean / self.inverse_dispersion).sqrt()

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        given = self._given
        log_prob: Tensor = negative_binomial_log_prob(
            value, given["mean"], given["inverse_dispersion"], batch_ndim=batch_ndim
        )
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        drawn = negative_binomial_counts(self.mean, self.inverse_dispersion, shape)
        return drawn.to(self.mean.dtype)


class ZeroInflatedNegativeBinomial(Elementwise):
    r"""Negative binomial counts, of which a share sigmoid(zi_logits) is replaced by zeros.

    .. math:: p(x) = \prod_i \pi_i [x_i = 0] + (1 - \pi_i)\, \mathrm{NB}(x_i; m_i, t_i)

    Lopez et al. 2018 (scVI), supplement, note 3.

    Args:
        mean: m of the negative binomial part, (*batch, *event); this distribution's own ``mean``
            is (1 - pi) m
        inverse_dispersion: t, positive, anything that broadcasts with the mean; a number too
        zi_logits: log-odds of an extra zero, anything that broadcasts with the mean; a number too
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the mean is not a floating-point tensor.
        ValueError: shapes that do not broadcast, or validated parameters or values out of range.

    >>> p = ZeroInflatedNegativeBinomial(torch.ones(3, 1), 1.0, 0.0)
    >>> p.log_prob(torch.zeros(1)).exp()  # 1 / 2 + 1 / 2 * 1 / 2
    tensor([0.7500, 0.7500, 0.7500])
    """

    parameters: ClassVar[dict[str, constraints.Constraint]] = {
        "count_mean": constraints.nonnegative,
        "inverse_dispersion": constraints.positive,
        "zi_logits": constraints.real,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        mean: Tensor,
        inverse_dispersion: Tensor | float,
        zi_logits: Tensor | float,
        *,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(
            event_ndim,
            validate_args,
            mean=mean,
            inverse_dispersion=inverse_dispersion,
            zi_logits=zi_logits,
        )

    @property
    def count_mean(self) -> Tensor:
        """The mean m of the negative binomial part."""
        return self._full("mean")

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
        log_prob: Tensor = zero_inflated_negative_binomial_log_prob(
            value, *self._given.values(), batch_ndim=batch_ndim
        )
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        counts = negative_binomial_counts(self.count_mean, self.inverse_dispersion, shape)
        kept = torch.bernoulli(torch.sigmoid(-precise(self.zi_logits)).expand(shape)) == 1
        return torch.where(kept, counts, 0.0).to(self.count_mean.dtype)
