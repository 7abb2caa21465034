"""Bernoulli variables from logits or probabilities."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import broadcast, one_event, precise, root
from pyvae.distributions.divergence import closed_form
from pyvae.distributions.elementwise import Elementwise
from pyvae.distributions.finite import Finite
from pyvae.distributions.parameters import Parameter, fractions, log_odds, only, steep_log
from pyvae.functional import bernoulli_log_prob

__all__ = ["Bernoulli"]


class Bernoulli(Finite, Elementwise):
    r"""Independent 0/1 variables with P(x = 1) = p = sigmoid(l).

    .. math:: \log p(x) = \sum_i x_i l_i - \log(1 + e^{l_i})

    Equal to ``Bernoulli`` of ``torch.distributions``, or ``Independent(Bernoulli, event_ndim)``,
    but for two things. A value may be anything in [0, 1]: grey levels count as the expectation of
    the log-likelihood under pixels drawn with them as probabilities, as is usual for images
    (Kingma & Welling 2014, appendix C.1). And probabilities are not clamped: what has none
    is -inf.

    Args:
        probs: p, (*batch, *event); a number too
        logits: l, instead
        validate_args: check parameters and values (this waits for the device); default: as torch
        event_ndim: how many trailing dimensions form the event

    Raises:
        TypeError: the parameter is neither a floating-point tensor nor a number.
        ValueError: not one of probs and logits; NaN or a probability outside [0, 1] where
            parameters are validated, a value outside [0, 1] where values are.

    >>> Bernoulli(torch.tensor([0.25, 0.0])).log_prob(torch.ones(2))
    tensor([-1.3863,    -inf])
    >>> p = Bernoulli(logits=torch.zeros(3, 1, 2, 2), event_ndim=3)
    >>> p.batch_shape, p.event_shape
    (torch.Size([3]), torch.Size([1, 2, 2]))
    >>> p.log_prob(torch.ones(1, 2, 2))
    tensor([-2.7726, -2.7726, -2.7726])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    variable = fractions
    values = "in [0, 1]"

    def __init__(
        self,
        probs: Parameter | None = None,
        logits: Parameter | None = None,
        validate_args: bool | None = None,
        *,
        event_ndim: int = 0,
    ) -> None:
        name = type(self).__name__
        self._hold(event_ndim, validate_args, **only(name, probs=probs, logits=logits))

    @property
    def logits(self) -> Tensor:
        """Log-odds, infinite where a probability of 0 or 1 was given."""
        logits = self._given.get("logits")
        return log_odds(self._given["probs"]) if logits is None else logits

    @property
    def probs(self) -> Tensor:
        probs = self._given.get("probs")
        if probs is not None:
            return probs
        return torch.sigmoid(precise(self._given["logits"])).to(self._dtype)

    def _shares(self) -> tuple[Tensor, Tensor]:
        """p and 1 - p, in float32 at least."""
        probs = self._given.get("probs")
        if probs is not None:
            return precise(probs), 1 - precise(probs)
        logits = precise(self._given["logits"])
        return torch.sigmoid(logits), torch.sigmoid(-logits)

    def _rarer(self) -> tuple[Tensor, Tensor]:
        """Of given probabilities: where 1 is likelier, and the log-odds of the other value.

        Those have all their digits, and so has the gradient x - sigmoid(l). A value without
        probability counts as one of 1e-30.
        """
        p = precise(self._given["probs"])
        high = p > 0.5
        rare = torch.where(high, 1 - p, p)
        return high, steep_log(rare) - torch.log1p(-rare)

    def _finite_logits(self) -> Tensor:
        """The logits, none of them infinite for given probabilities."""
        if "logits" in self._given:
            return self._given["logits"]
        high, logits = self._rarer()
        return torch.where(high, -logits, logits)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 where it is likelier, 0 where that is, NaN where both are (as torch has it)."""
        probs, logits = self._given.get("probs"), self._given.get("logits")
        lean = probs - 0.5 if probs is not None else logits
        assert lean is not None
        return (lean > 0).to(lean.dtype).masked_fill(lean == 0, torch.nan)

    @property
    def variance(self) -> Tensor:
        one, zero = self._shares()
        return (one * zero).to(self._dtype)

    @property
    def stddev(self) -> Tensor:
        """exp(1/2 [log p + log(1 - p)]), whose gradient is finite where the variance is 0."""
        logits = self._given.get("logits")
        if logits is None:
            return root(self.variance)
        return torch.exp((F.logsigmoid(logits) + F.logsigmoid(-logits)) / 2)

    def _every_value(self) -> Tensor:
        given = next(iter(self._given.values()))
        return torch.arange(2, dtype=given.dtype, device=given.device)

    def _draw(self, shape: torch.Size) -> Tensor:
        return torch.bernoulli(self.probs.expand(shape))

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        logits = self._given.get("logits")
        if logits is None:
            high, logits = self._rarer()
            value = value if value.is_floating_point() else value.to(logits.dtype)
            value = torch.where(high, 1 - value, value)
        log_prob: Tensor = bernoulli_log_prob(value, logits, batch_ndim=batch_ndim)
        return log_prob

    def _impossible(self, value: Tensor) -> Tensor | None:
        probs = self._given.get("probs")
        if probs is None:
            return None
        return ((probs == 0) & (value > 0)) | ((probs == 1) & (value < 1))

    def entropy(self) -> Tensor:
        """H = -sum_i p_i log p_i + (1 - p_i) log(1 - p_i), in float32 at least.

        By the smaller probability, as log(1 + e^-|l|) + |l| sigmoid(-|l|): the larger one has not
        its digits.
        """
        logits = precise(self._finite_logits())
        size = logits.abs().clamp(max=torch.finfo(logits.dtype).max)
        return self._over_event(F.softplus(-size) + size * torch.sigmoid(-size))


@closed_form(Bernoulli, Bernoulli)
def _kl_bernoulli_bernoulli(q: Bernoulli, p: Bernoulli) -> Tensor:
    """KL = E_q[log q(x) - log p(x)]; both are linear in x, so the mean of q stands for x."""
    one_event(q, p)
    n = len(broadcast(q.batch_shape, p.batch_shape))
    return -q.entropy() - p._log_density(q._shares()[0], n)
