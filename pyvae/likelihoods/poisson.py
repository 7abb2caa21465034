"""Counts."""

from __future__ import annotations

from torch import Tensor

from pyvae.distributions import Poisson
from pyvae.likelihoods.counts import CountLikelihood
from pyvae.registry import likelihoods

__all__ = ["PoissonLikelihood"]


@likelihoods.register("poisson")
class PoissonLikelihood(CountLikelihood):
    """p(x|z) = prod_i Poisson(x_i; exp(r_i)), the decoder's output being the log-rates r.

    The encoder sees log(1 + x).

    Args:
        data_shape: the shape of one datum
        fractions: take corrected counts such as 1.1387 too

    >>> import torch
    >>> PoissonLikelihood((5,))(torch.zeros(3, 5)).mean[0]
    tensor([1., 1., 1., 1., 1.])
    """

    def forward(self, params: Tensor, **side: Tensor) -> Poisson:
        return Poisson(log_rate=params, event_ndim=len(self.data_shape), validate_args=False)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logarithm of the mean, of 0.001 where that is less."""
        return data_mean.clamp(min=1e-3).log()
