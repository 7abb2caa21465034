"""Gaussians whose variance is the best for the values that they are asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pyvae.distributions import DiagonalGaussian

__all__ = ["FittedGaussian"]

LEAST = -12.0  # log-variance, where the means are exact: log sigma of -6 in the paper's code


class FittedGaussian(DiagonalGaussian):
    r"""N(m, s^2 diag(exp(scale))) with the one s^2 at which given values are likeliest.

    .. math:: s^2 = \frac1N \sum_i (x_i - m_i)^2 e^{-\text{scale}_i}

    over all values of a call of ``log_prob`` that are observed (Rybkin, Daniilidis & Levine 2021,
    section 4.2). As that is the optimum, its own slope is 0 there, and none is passed on. Samples
    and moments are those of the log-variance that is given.

    Args:
        mean: m (*batch, *event)
        log_square: log s^2 (1,) of samples, and where nothing is observed
        scale: log-variance in units of s^2; broadcasts
        note: called with log s^2 (1,) of each call of ``log_prob``
        event_ndim: how many trailing dimensions form the event
    """

    def __init__(
        self,
        mean: Tensor,
        log_square: Tensor,
        scale: Tensor,
        note: Callable[[Tensor], None],
        *,
        event_ndim: int,
    ) -> None:
        logvar = log_square + scale
        super().__init__(mean, logvar, event_ndim=event_ndim, validate_args=False)
        self._log_square, self._scale, self._note = log_square, scale, note

    def _fitted(self, value: Tensor, mask: Tensor | None = None) -> DiagonalGaussian:
        with torch.no_grad():
            square = (value.to(self.mean.dtype) - self.mean).square() * (-self._scale).exp()
            seen = torch.ones((), dtype=torch.bool, device=value.device) if mask is None else mask
            total, count = torch.where(seen, square, 0.0).sum(), seen.expand(square.shape).sum()
            best = (total / count).log().clamp(min=LEAST)
            best = torch.where(count == 0, self._log_square, best)
            self._note(best)
        n = self._event_ndim
        return DiagonalGaussian(self.mean, best + self._scale, event_ndim=n, validate_args=False)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        return self._fitted(value)._log_prob(value, batch_ndim)

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        return self._fitted(value, mask).log_prob_of_part(value, mask)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> FittedGaussian:
        mean = self.mean.expand(torch.Size(batch_shape) + self._event_shape)
        n = self._event_ndim
        return FittedGaussian(mean, self._log_square, self._scale, self._note, event_ndim=n)
