"""Bernoulli variables with relaxed samples for gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.parameters import Parameter
from pyvae.distributions.reparameterize.base import uniform_noise

__all__ = ["RelaxedBernoulli"]


class RelaxedBernoulli(Bernoulli):
    """Independent 0/1 variables with relaxed samples for gradients.

    ``rsample`` draws sigmoid((l + logistic noise) / t) (Maddison et al. 2017); all else is that of
    :class:`Bernoulli`, whose log-density is linear in the values. That of torch's class of this
    name is the density of the relaxed samples instead.

    Args:
        logits: l, (*batch, *event); a number too
        temperature: t
        probs: sigmoid(l), instead of logits
        straight_through: let ``rsample`` give 0 or 1 with the gradient of the relaxation
        event_ndim: how many trailing dimensions form the event
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the parameter is neither a floating-point tensor nor a number.
        ValueError: a temperature that is not positive, and as :class:`Bernoulli`.

    >>> RelaxedBernoulli(torch.zeros(3, 2), temperature=0.1, event_ndim=1).rsample().shape
    torch.Size([3, 2])
    """

    has_rsample = True

    def __init__(
        self,
        logits: Parameter | None = None,
        temperature: float = 1.0,
        *,
        probs: Parameter | None = None,
        straight_through: bool = False,
        event_ndim: int = 0,
        validate_args: bool | None = None,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"RelaxedBernoulli: temperature must be positive, got {temperature}")
        super().__init__(probs, logits, validate_args, event_ndim=event_ndim)
        self.temperature = temperature
        self.straight_through = straight_through

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Relaxed zeros and ones (*sample_shape, *batch, *event), differentiable."""
        logits = self._finite_logits()
        noise = torch.logit(uniform_noise((*sample_shape, *logits.shape), logits))
        soft = torch.sigmoid((logits + noise) / self.temperature).to(self._dtype)
        if self.straight_through:
            soft = (soft.detach() > 0.5).to(soft.dtype) + soft - soft.detach()
        return soft

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> RelaxedBernoulli:
        new = super().expand(batch_shape, _instance)
        new.temperature, new.straight_through = self.temperature, self.straight_through
        return new
