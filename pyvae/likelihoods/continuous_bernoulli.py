"""Grey levels in [0, 1], as a density."""

from __future__ import annotations

import torch
from torch import Tensor

from pyvae.distributions import ContinuousBernoulli
from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.data_range import UNIT
from pyvae.registry import likelihoods

__all__ = ["ContinuousBernoulliLikelihood"]


@likelihoods.register("continuous_bernoulli")
class ContinuousBernoulliLikelihood(Likelihood):
    """p(x|z) on [0, 1], proportional to exp(l x), the decoder's output being l.

    The density that the Bernoulli of grey levels is not (Loaiza-Ganem & Cunningham 2019).

    Args:
        data_shape: the shape of one datum

    >>> import torch
    >>> ContinuousBernoulliLikelihood((1, 28, 28))(torch.zeros(3, 1, 28, 28)).event_shape
    torch.Size([1, 28, 28])
    """

    data_range = UNIT

    def forward(self, params: Tensor, **side: Tensor) -> ContinuousBernoulli:
        n = len(self.data_shape)
        return ContinuousBernoulli(logits=params, event_ndim=n, validate_args=False)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logits of the mean, kept within 0.002 and 0.998, by bisection."""
        mean = data_mean.clamp(2e-3, 1 - 2e-3)
        low, high = torch.full_like(mean, -600.0), torch.full_like(mean, 600.0)
        for _ in range(60):
            middle = (low + high) / 2
            below = ContinuousBernoulli(logits=middle, validate_args=False).mean < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2
