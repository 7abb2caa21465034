"""The distribution over the op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.elementwise import Elementwise

from .density import student_t_log_prob


class StudentT(Elementwise):
    """Independent Student t variables over the trailing dimensions.

    Args:
        mean: ``(*batch, *event)``.
        log_scale: broadcasts with the mean; a number too.
        df: degrees of freedom; likewise.
        event_ndim: how many trailing dimensions form the event.
        validate_args: check parameters and values.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.real,
        "log_scale": constraints.real,
        "df": constraints.positive,
    }
    variable = constraints.real

    def __init__(
        self,
        mean: Tensor | float,
        log_scale: Tensor | float,
        df: Tensor | float,
        *,
        event_ndim: int = 0,
        validate_args: bool | None = None,
    ) -> None:
        self._hold(event_ndim, validate_args, mean=mean, log_scale=log_scale, df=df)

    @property
    def mean(self) -> Tensor:
        """The location, which is the mean from one degree of freedom on."""
        return self._full("mean")

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def variance(self) -> Tensor:
        """exp(2 log_scale) df / (df - 2); infinite for two degrees of freedom or less."""
        df = self._full("df")
        finite = df / (df - 2) * (2 * self._full("log_scale")).exp()
        return torch.where(df > 2, finite, torch.inf)

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        return student_t_log_prob(value, *self._given.values(), batch_ndim=batch_ndim)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples (*sample_shape, *batch, *event), differentiable in mean, log-scale and df."""
        own = [self._full(name) for name in self.arg_constraints]
        student = torch.distributions.StudentT(own[2], own[0], own[1].exp(), validate_args=False)
        return student.rsample(torch.Size(sample_shape))
