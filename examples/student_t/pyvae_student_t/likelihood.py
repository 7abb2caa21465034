"""The likelihood that `pyvae train --likelihood student_t` finds by its entry point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.likelihoods import Likelihood
from pyvae.registry import likelihoods

from .distribution import StudentT


@likelihoods.register("student_t")
class StudentTLikelihood(Likelihood):
    """p(x|z) = StudentT(x; m(z), exp(s(z)), df), for real values with outliers.

    Args:
        data_shape: the shape of one datum.
        df: degrees of freedom to start from; they are learned, one number for each variable.
    """

    def __init__(self, data_shape: Sequence[int], df: float = 4.0) -> None:
        super().__init__(data_shape)
        if df <= 0:
            raise ValueError(f"student_t likelihood: df must be positive, got {df}")
        self.log_df = nn.Parameter(torch.full(self.data_shape, math.log(df)))

    @property
    def param_shape(self) -> tuple[int, ...]:
        """Means, then log-scales, along the first dimension."""
        first, *rest = self.data_shape
        return (2 * first, *rest)

    def forward(self, params: Tensor, **side: Tensor) -> StudentT:
        mean, log_scale = params.chunk(2, dim=-len(self.data_shape))
        n = len(self.data_shape)
        return StudentT(mean, log_scale, self.log_df.exp(), event_ndim=n, validate_args=False)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        return torch.cat([data_mean, torch.zeros_like(data_mean)])
