"""Counts that vary more than Poisson's."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise, root
from pyvae.distributions.counts import negative_binomial_counts
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.parameters import Parameter, log_odds, only, steep_log
from pyvae.functional import negative_binomial_log_prob

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Elementwise):
    r"""Independent counts of mean m and variance m + m^2 / t.

    .. math::
        p(x) = \prod_i \frac{\Gamma(x_i + t_i)}{\Gamma(t_i)\, x_i!}
            \left(\frac{t_i}{t_i + m_i}\right)^{t_i} \left(\frac{m_i}{t_i + m_i}\right)^{x_i}

    Poisson counts whose rates are gamma variables of shape t and mean m; as t grows they become
    Poisson counts. Lopez et al. 2018 (scVI), supplement, note 3. Equal to ``NegativeBinomial`` of
    ``torch.distributions``, or ``Independent(NegativeBinomial, event_ndim)``, whose total_count is
    t and whose probability p of success is m / (m + t).

    Args:
        total_count: t; 0 leaves nothing but zeros
        probs: p, below 1
        logits: log p / (1 - p) = log m / t, instead of probs
        validate_args: check parameters and values (this waits for the device); default: as torch
        mean: m, not negative, (*batch, *event), with inverse_dispersion instead of all these
        log_mean: log m, instead of the mean: exact where a share of a total is next to nothing
        inverse_dispersion: t, positive
        event_ndim: how many trailing dimensions form the event

    Parameters are numbers, or tensors that broadcast.

    Raises:
        TypeError: a parameter is neither a floating-point tensor nor a number.
        ValueError: neither of the two kinds of parameters; shapes that do not broadcast;
            parameters or values out of range where they are validated.

    >>> NegativeBinomial(2.0, probs=torch.tensor([0.5])).mean
    tensor([2.])
    >>> p = NegativeBinomial(mean=torch.ones(3, 2), inverse_dispersion=1.0, event_ndim=1)
    >>> p.log_prob(torch.zeros(2))  # (1 / 2)^2
    tensor([-1.3863, -1.3863, -1.3863])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "total_count": constraints.nonnegative,
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
        "mean": constraints.nonnegative,
        "log_mean": constraints.real,
        "inverse_dispersion": constraints.positive,
    }
    variable = constraints.nonnegative_integer
    values = "whole numbers of at least 0"

    def __init__(
        self,
        total_count: Parameter | None = None,
        probs: Parameter | None = None,
        logits: Parameter | None = None,
        validate_args: bool | None = None,
        *,
        mean: Parameter | None = None,
        log_mean: Parameter | None = None,
        inverse_dispersion: Parameter | None = None,
        event_ndim: int = 0,
    ) -> None:
        name = "NegativeBinomial"
        first = only(name, mean=mean, log_mean=log_mean, probs=probs, logits=logits)
        spread = only(name, total_count=total_count, inverse_dispersion=inverse_dispersion)
        if ("total_count" in spread) != ("probs" in first or "logits" in first):
            raise ValueError(
                f"{name}: expected mean or log_mean with inverse_dispersion, or total_count with "
                f"probs or logits, got {' with '.join({**first, **spread})}"
            )
        self._hold(event_ndim, validate_args, **first, **spread)

    def _spread(self) -> Tensor:
        """t as it was given."""
        return list(self._given.values())[1]

    @property
    def inverse_dispersion(self) -> Tensor:
        return self._spread().expand(self.param_shape)

    @property
    def total_count(self) -> Tensor:
        return self.inverse_dispersion

    @property
    def mean(self) -> Tensor:
        return self._moments()[0].to(self._dtype)

    @property
    def log_mean(self) -> Tensor:
        if "log_mean" in self._given:
            return self._given["log_mean"]
        if "mean" in self._given:
            return self._given["mean"].log()
        return self._log_mean().masked_fill(self._only_zeros(), -torch.inf).to(self._dtype)

    @property
    def logits(self) -> Tensor:
        """log m / t."""
        if "logits" in self._given:
            return self._given["logits"]
        if "probs" in self._given:
            return log_odds(self._given["probs"])
        return self.log_mean - self.inverse_dispersion.log()

    @property
    def probs(self) -> Tensor:
        """m / (m + t)."""
        return self._given["probs"] if "probs" in self._given else torch.sigmoid(self.logits)

    def _odds(self) -> Tensor:
        """m / t, in float32 at least."""
        if "probs" in self._given:
            probs = precise(self._given["probs"])
            return probs / (1 - probs)
        if "mean" in self._given:
            return precise(self._given["mean"]) / self._spread()
        return precise(self.logits).exp()

    def _moments(self) -> tuple[Tensor, Tensor]:
        """m and t for moments and draws; a total count of 0 is a mean of 0 at any t."""
        t = self._spread()
        if "mean" in self._given:
            return self._given["mean"], t
        if "log_mean" in self._given:
            return precise(self._given["log_mean"]).exp(), t
        return t * self._odds(), torch.where(t == 0, 1.0, t)

    def _log_mean(self) -> Tensor:
        """log m of torch's parameters, 0 as 1e-30: the slope of log p(0) in m is -1 there."""
        log_count = steep_log(self._spread())
        if "logits" in self._given:
            return log_count + precise(self._given["logits"])
        probs = precise(self._given["probs"])
        return log_count + steep_log(probs) - torch.log1p(-probs)

    @property
    def mode(self) -> Tensor:
        most = (precise(self.inverse_dispersion) - 1) * self._odds()
        return most.floor().clamp(min=0).to(self._dtype)

    @property
    def variance(self) -> Tensor:
        mean, t = self._moments()
        return (mean * (1 + mean / t)).to(self._dtype)

    @property
    def stddev(self) -> Tensor:
        mean, t = self._moments()
        return (root(mean) * (1 + mean / t).sqrt()).to(self._dtype)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        t, mean = self._spread(), self._given.get("mean")
        log_mean = self._given.get("log_mean")
        if mean is None and log_mean is None:
            log_mean, t = self._log_mean(), torch.where(t == 0, 1.0, t)
        log_prob: Tensor = negative_binomial_log_prob(
            value, mean, t, log_mean=log_mean, batch_ndim=batch_ndim
        )
        return log_prob

    def _impossible(self, value: Tensor) -> Tensor | None:
        return self._only_zeros() & (value > 0) if "total_count" in self._given else None

    def _only_zeros(self) -> Tensor:
        """Where torch's parameters leave no count but 0."""
        none = self._given["total_count"] == 0
        return none | (self._given["probs"] == 0) if "probs" in self._given else none

    def _draw(self, shape: torch.Size) -> Tensor:
        return negative_binomial_counts(*self._moments(), shape).to(self._dtype)
