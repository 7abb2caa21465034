"""A placeholder for the distribution over an op that another branch brings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, constraints, register_kl

from pyvae.distributions.gaussian import StandardNormal
from pyvae.functional import rank1_gaussian_rsample_kl

__all__ = ["Rank1Gaussian"]


class Rank1Gaussian(Distribution):
    """N(mean, (diag(exp(log_precision)) + u u^T)^-1)."""

    has_rsample = True

    def __init__(self, mean: Tensor, log_precision: Tensor, u: Tensor) -> None:
        self._mean, self.log_precision, self.u = mean, log_precision, u
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {}

    @property
    def mean(self) -> Tensor:
        return self._mean

    def _normal(self) -> MultivariateNormal:
        precision = torch.diag_embed(self.log_precision.exp())
        precision = precision + self.u.unsqueeze(-1) * self.u.unsqueeze(-2)
        return MultivariateNormal(self._mean, precision_matrix=precision, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        given = (
            t.expand(*sample_shape, *t.shape) for t in (self._mean, self.log_precision, self.u)
        )
        return rank1_gaussian_rsample_kl(*given, batch_ndim=self._mean.ndim)[0]

    def log_prob(self, value: Tensor) -> Tensor:
        log_prob: Tensor = self._normal().log_prob(value)
        return log_prob


def _kl(q: Rank1Gaussian, p: StandardNormal) -> Tensor:
    return rank1_gaussian_rsample_kl(q._mean, q.log_precision, q.u, batch_ndim=q._mean.ndim - 1)[1]


register_kl(Rank1Gaussian, StandardNormal)(_kl)
