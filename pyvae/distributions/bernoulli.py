"""Bernoulli variables from logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints, register_kl

from pyvae.distributions.base import OpDistribution, broadcast, precise
from pyvae.functional import bernoulli_log_prob

__all__ = ["Bernoulli"]

Self = TypeVar("Self", bound="Bernoulli")


class Bernoulli(OpDistribution):
    r"""Independent 0/1 variables with P(x = 1) = sigmoid(logits), over the trailing dimensions.

    .. math:: \log p(x) = \sum_i x_i l_i - \log(1 + e^{l_i})

    Equal to ``Independent(Bernoulli(logits=logits), event_ndim)`` of ``torch.distributions``, with
    one difference: a value may be anything in [0, 1], not only 0 and 1. Grey levels count as the
    expectation of the log-likelihood under pixels drawn with them as probabilities, as is usual
    for images (Kingma & Welling 2014, appendix C.1).

    Args:
        logits: log-odds (*batch, *event)
        event_ndim: how many trailing dimensions form the event; default: all but the first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the logits are not a floating-point tensor.
        ValueError: NaN among validated logits, or a validated value outside [0, 1].

    >>> p = Bernoulli(logits=torch.zeros(3, 1, 2, 2))
    >>> p.batch_shape, p.event_shape
    (torch.Size([3]), torch.Size([1, 2, 2]))
    >>> p.log_prob(torch.ones(1, 2, 2))
    tensor([-2.7726, -2.7726, -2.7726])
    """

    def __init__(
        self,
        *,
        logits: Tensor,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            got = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
            raise TypeError(f"Bernoulli: logits must be a floating-point tensor, got {got}")
        self._logits = logits
        self._split(logits.shape, event_ndim, validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"logits": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.unit_interval, self._event_ndim)

    @property
    def logits(self) -> Tensor:
        return self._logits

    @property
    def probs(self) -> Tensor:
        return torch.sigmoid(self._logits)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 where it is likelier, 0 where that is, NaN where both are (as torch has it)."""
        mode = (self._logits > 0).to(self._logits.dtype)
        return mode.masked_fill(self._logits == 0, torch.nan)

    @property
    def variance(self) -> Tensor:
        return torch.sigmoid(self._logits) * torch.sigmoid(-self._logits)

    @property
    def stddev(self) -> Tensor:
        """exp(1/2 [log p + log(1 - p)]), whose gradient is finite where the variance is 0."""
        return torch.exp((F.logsigmoid(self._logits) + F.logsigmoid(-self._logits)) / 2)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return self._event_ndim == 0

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Both values (2, *batch); only without event dimensions."""
        if self._event_ndim:
            raise NotImplementedError("Bernoulli: only single variables can be enumerated")
        values = torch.arange(2, dtype=self._logits.dtype, device=self._logits.device)
        values = values.reshape(-1, *(1 for _ in self._batch_shape))
        return values.expand(2, *self._batch_shape) if expand else values

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Zeros and ones (*sample_shape, *batch, *event), in the dtype of the logits."""
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand((*sample_shape, *self._logits.shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), with the batch dimensions of value and logits broadcast.

        Args:
            value: (*sample, *batch, *event), batch dimensions missing or 1 where they broadcast
        """
        n = self._batch_ndim(value)
        log_prob: Tensor = bernoulli_log_prob(value, self._logits, batch_ndim=n)
        return log_prob

    def entropy(self) -> Tensor:
        """H = -sum_i p_i log p_i + (1 - p_i) log(1 - p_i), in float32 at least.

        By the smaller probability, as log(1 + e^-|l|) + |l| sigmoid(-|l|): the larger one has not
        its digits.
        """
        logits = precise(self._logits)
        size = logits.abs().clamp(max=torch.finfo(logits.dtype).max)
        each = F.softplus(-size) + size * torch.sigmoid(-size)
        return each.flatten(len(self._batch_shape)).sum(-1) if self._event_ndim else each

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        new._logits = self._logits.expand(torch.Size(batch_shape) + self._event_shape)
        return new


def _kl_bernoulli_bernoulli(q: Bernoulli, p: Bernoulli) -> Tensor:
    """KL = E_q[log q(x) - log p(x)]; both are linear in x, so the mean of q stands for x."""
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"kl_divergence: both Bernoullis must have one event shape, got "
            f"{tuple(q.event_shape)} and {tuple(p.event_shape)}"
        )
    n = len(broadcast(q.batch_shape, p.batch_shape))
    cross: Tensor = bernoulli_log_prob(q.probs, p._logits, batch_ndim=n)
    return -q.entropy() - cross


register_kl(Bernoulli, Bernoulli)(_kl_bernoulli_bernoulli)
