"""Distributions that invertible maps make of a simple one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import check_event

__all__ = ["Bijection", "FlowDistribution"]

Self = TypeVar("Self", bound="FlowDistribution")


class Bijection(Protocol):
    """An invertible map of vectors with a known volume change."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y (*batch, D) and log |det dy/dx| (*batch,), for x (*batch, D)."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x (*batch, D) and log |det dy/dx| (*batch,) there, for y (*batch, D)."""


class FlowDistribution(Distribution):
    r"""z = f_T(... f_1(z_0)) with z_0 of a base distribution.

    .. math:: \log q(z) = \log q_0(z_0) - \sum_t \log |\det df_t|

    Rezende & Mohamed 2015, eq. 13. The density of what ``rsample`` has just given is remembered:
    asking for it costs nothing, even where the map is slow to invert. ``torch.compile`` does not
    see whether the sample was changed in place in between; do not do that there.

    Args:
        base: a distribution over vectors with ``rsample``
        bijections: f_1, ..., f_T, whose parameters broadcast with the batch

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2 * x, torch.full(x.shape[:-1], 2 * 0.6931)
    ...
    ...     def inverse(self, y):
    ...         return y / 2, torch.full(y.shape[:-1], 2 * 0.6931)
    >>> from pyvae.distributions import StandardNormal
    >>> FlowDistribution(StandardNormal((2,)), [Double()]).log_prob(torch.zeros(2))
    tensor(-3.2241)
    """

    has_rsample = True
    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012  torch's own
    support = constraints.real_vector

    def __init__(self, base: Distribution, bijections: Sequence[Bijection]) -> None:
        self.base = base
        self.bijections = list(bijections)
        self._last: tuple[Tensor, int, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, D), differentiable."""
        z = self.base.rsample(torch.Size(sample_shape))
        log_prob = self.base.log_prob(z)
        for bijection in self.bijections:
            z, volume = bijection.forward(z)
            log_prob = log_prob - volume
        version = 0 if torch.compiler.is_compiling() else z._version
        self._last = (z, version, log_prob)
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(value), at once for the last sample, else by inverting the maps."""
        if self._last is not None:
            z, version, log_prob = self._last
            # where gradients are wanted, a density without them is of no use
            known = log_prob.requires_grad or not torch.is_grad_enabled()
            if value is z and known and (torch.compiler.is_compiling() or z._version == version):
                return log_prob
        check_event(self, value)
        volumes: Tensor | float = 0.0
        for bijection in reversed(self.bijections):
            value, volume = bijection.inverse(value)
            volumes = volumes + volume
        return self.base.log_prob(value) - volumes

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new: Self = self._get_checked_instance(FlowDistribution, _instance)  # type: ignore[no-untyped-call]
        new.base = self.base.expand(torch.Size(batch_shape))
        new.bijections, new._last = self.bijections, None
        Distribution.__init__(new, new.base.batch_shape, self._event_shape, validate_args=False)
        return new
