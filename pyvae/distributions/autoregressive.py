"""Distributions of data whose elements are explained one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["Autoregressive"]


class Autoregressive(Distribution):
    r"""The distribution whose elements each have a conditional one, given those before.

    .. math:: \log p(x) = \sum_i \log p(x_i | x_1, ..., x_{i-1})

    Frey, Hinton and Dayan 1996; Bengio and Bengio 2000. The density takes one pass, a sample one
    for each element.

    Args:
        conditional: x (*batch, *event) -> a distribution over the whole event, of which each
            element depends on those before it in x alone
        draw: how many -> samples (n, *batch, *event)
        batch_shape: of the distribution
        event_shape: of one datum
        support: of the values

    >>> from pyvae.distributions import Bernoulli
    >>> def conditional(x):  # each bit is likely what the one before was, the first one is fair
    ...     before = torch.cat([torch.full_like(x[..., :1], 0.5), x[..., :-1]], -1)
    ...     return Bernoulli(logits=4 * before - 2, event_ndim=1)
    >>> p = Autoregressive(conditional, lambda n: torch.zeros(n, 3), (), (3,))
    >>> p.log_prob(torch.tensor([1.0, 1.0, 0.0])).exp()  # 0.5 * 0.88 * 0.12
    tensor(0.0525)
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012  torch's own

    def __init__(
        self,
        conditional: Callable[[Tensor], Distribution],
        draw: Callable[[int], Tensor],
        batch_shape: Sequence[int],
        event_shape: Sequence[int],
        support: constraints.Constraint | None = None,
    ) -> None:
        self.conditional, self._draw = conditional, draw
        self._support = support
        super().__init__(torch.Size(batch_shape), torch.Size(event_shape), validate_args=False)

    @property
    def support(self) -> constraints.Constraint | None:
        return self._support

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in nats, in one pass.

        Args:
            value: (*sample, *batch, *event), batch dimensions missing or 1 where they broadcast
        """
        n = len(self.event_shape)
        batch = torch.broadcast_shapes(value.shape[: value.ndim - n], self.batch_shape)
        value = value.expand(*batch, *self.event_shape)
        log_prob: Tensor = self.conditional(value).log_prob(value)
        return log_prob

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, *event), element by element."""
        count = torch.Size(sample_shape).numel()
        with torch.no_grad():
            drawn = self._draw(count)
        return drawn.reshape(*sample_shape, *self.batch_shape, *self.event_shape)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Autoregressive:
        raise NotImplementedError("Autoregressive: what it depends on would have to be expanded")
