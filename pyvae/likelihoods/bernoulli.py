"""Binary data, or grey levels in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from pyvae.distributions import Bernoulli
from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.data_range import UNIT
from pyvae.registry import likelihoods

__all__ = ["BernoulliLikelihood"]


@likelihoods.register("bernoulli")
class BernoulliLikelihood(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(l_i)), the decoder's output being the logits l.

    Kingma & Welling 2014, eq. 11.

    Args:
        data_shape: the shape of one datum

    >>> import torch
    >>> BernoulliLikelihood((1, 28, 28))(torch.zeros(3, 1, 28, 28)).event_shape
    torch.Size([1, 28, 28])
    """

    data_range = UNIT
    binary = True
    discrete = True

    def forward(self, params: Tensor, **side: Tensor) -> Bernoulli:
        n = len(self.data_shape)
        return Bernoulli(logits=params, event_ndim=n, validate_args=False)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """The logits of the mean, kept within 0.001 and 0.999 (Burda et al. 2016, their code)."""
        return torch.logit(data_mean.clamp(1e-3, 1 - 1e-3))
