"""Distributions of data of which a part was observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints, transform_to

from pyvae.distributions.base import OpDistribution, check_event
from pyvae.functional.observed import check_mask, sum_observed

__all__ = ["Masked", "observed"]


class Masked(Distribution):
    r"""A distribution whose log-probability is that of what was observed.

    .. math:: \log p(x_o) = \sum_{i \in o} \log p(x_i)

    Everything else, the mean and samples among it, is that of the whole. ``p.mask(mask)`` and
    :func:`observed` make it.

    Args:
        base: of independent variables, ours or torch's ``Independent``
        mask: bool, True where observed; it broadcasts to (*batch, *event)

    Raises:
        TypeError: the mask is no bool tensor.
        NotImplementedError: the variables depend on each other, and the distribution does not know
            that of a part of them.

    >>> from pyvae.distributions import Poisson
    >>> p = Poisson(torch.ones(2, 3), event_ndim=1).mask(torch.tensor([True, False, True]))
    >>> p.log_prob(torch.tensor([1.0, torch.nan, 0.0]))
    tensor([-2., -2.])
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012  torch's own

    def __init__(self, base: Distribution, mask: Tensor) -> None:
        shape = (*base.batch_shape, *base.event_shape)
        if isinstance(mask, Tensor) and mask.ndim > len(shape):  # rows of the values' own
            shape = (*mask.shape[: mask.ndim - len(base.event_shape)], *base.event_shape)
        check_mask(f"{type(base).__name__}.mask", mask, shape, None)
        known = isinstance(base, OpDistribution) and base.has_parts
        singles = isinstance(base, Independent) and not base.base_dist.event_shape
        if not known and not singles and base.event_shape:
            raise NotImplementedError(
                f"{type(base).__name__}.mask: the elements of an event depend on each other, and "
                f"the distribution of a part of them is not known"
            )
        self.base, self.mask = base, mask
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p of what is observed of the value, 0 where nothing is.

        Args:
            value: (*sample, *batch, *event), anything where the mask is False
        """
        check_event(self.base, value)
        shape = torch.broadcast_shapes(value.shape, (*self.batch_shape, *self.event_shape))
        check_mask(f"{type(self.base).__name__}.log_prob", self.mask, shape, value.device)
        if isinstance(self.base, OpDistribution):
            return self.base.log_prob_of_part(value, self.mask)
        one = self.base.base_dist if isinstance(self.base, Independent) else self.base
        value = torch.where(self.mask, value, _inside(one.support).to(value))
        return sum_observed(self.mask, one.log_prob(value), len(self.event_shape))

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base.has_rsample

    @property
    def support(self) -> constraints.Constraint | None:
        return self.base.support

    @property
    def mean(self) -> Tensor:
        return self.base.mean

    @property
    def mode(self) -> Tensor:
        return self.base.mode

    @property
    def variance(self) -> Tensor:
        return self.base.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the whole (*sample_shape, *batch, *event)."""
        return self.base.sample(torch.Size(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The same with a gradient."""
        return self.base.rsample(torch.Size(sample_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Masked:
        return Masked(self.base.expand(torch.Size(batch_shape)), self.mask)

    def __repr__(self) -> str:
        return f"Masked({self.base}, mask: {self.mask.shape})"


def observed(p: Distribution, mask: Tensor) -> Distribution:
    """The distribution p of which only what the mask says was observed: see :class:`Masked`.

    >>> from torch.distributions import Exponential
    >>> p = observed(Independent(Exponential(torch.ones(2)), 1), torch.tensor([True, False]))
    >>> p.log_prob(torch.tensor([3.0, -1.0]))
    tensor(-3.)
    """
    return Masked(p, mask)


def _inside(support: Any) -> Tensor:
    """A value of a variable of this support, for which a density has slopes."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if support is None or support.is_discrete:
        return torch.as_tensor(vars(support).get("lower_bound", 0) if support else 0.0)
    value: Tensor = transform_to(support)(torch.zeros(()))
    return value
