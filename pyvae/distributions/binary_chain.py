"""Layers of 0/1 variables, each drawn given the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import check_event
from pyvae.functional import bernoulli_log_prob

__all__ = ["BinaryChain"]


class BinaryChain(Distribution):
    r"""A sigmoid belief network: layers of 0/1 variables h_1, h_2, ..., one event all together.

    .. math:: p(h) = \prod_l \prod_i \mathrm{Bernoulli}(h_{l,i};\ \sigma(f_l(h_{l-1})_i))

    Neal 1992. With a single layer these are independent Bernoulli variables.

    Args:
        logits: of the first layer, (*batch, h_1)
        layers: f_2, f_3, ...: the logits (*, h_l) of a layer for the layer before it (*, h_(l-1))
        sizes: h_1, h_2, ...
        reverse: whether the event lists the layers from the last to the first

    >>> chain = BinaryChain(torch.zeros(3, 4), [lambda h: h[..., :2]], [4, 2])
    >>> chain.sample((5,)).shape
    torch.Size([5, 3, 6])
    >>> chain.log_prob(torch.zeros(3, 6))
    tensor([-4.1589, -4.1589, -4.1589])
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.independent(constraints.boolean, 1)

    def __init__(
        self,
        logits: Tensor,
        layers: Sequence[Callable[[Tensor], Tensor]],
        sizes: Sequence[int],
        *,
        reverse: bool = False,
    ) -> None:
        self._logits = logits
        self._layers = tuple(layers)
        self._sizes = tuple(sizes)
        self._reverse = reverse
        super().__init__(logits.shape[:-1], Size((sum(self._sizes),)), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The probabilities of a single layer; of several there is no closed form."""
        if self._layers:
            raise NotImplementedError("BinaryChain: the mean of several layers has no closed form")
        return torch.sigmoid(self._logits)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Zeros and ones (*sample_shape, *batch, sum of sizes), layer by layer."""
        with torch.no_grad():
            logits = self._logits.expand(*sample_shape, *self._logits.shape)
            drawn = [torch.bernoulli(torch.sigmoid(logits))]
            for layer in self._layers:
                drawn.append(torch.bernoulli(torch.sigmoid(layer(drawn[-1]))))
            return torch.cat(drawn[::-1] if self._reverse else drawn, dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(h) in nats.

        Args:
            value: (*sample, *batch, sum of sizes)
        """
        check_event(self, value)
        units = self.split(value)
        given = zip(self._layers, units, strict=False)  # each layer but the last
        logits = [self._logits, *(layer(h) for layer, h in given)]
        n = max(value.ndim - 1, len(self.batch_shape))
        each = [
            bernoulli_log_prob(h, logit, batch_ndim=n)
            for h, logit in zip(units, logits, strict=True)
        ]
        return sum(each[1:], each[0])

    def split(self, value: Tensor) -> list[Tensor]:
        """The layers of an event (*, sum of sizes), first layer first."""
        step = -1 if self._reverse else 1
        return list(value.split(self._sizes[::step], dim=-1))[::step]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> BinaryChain:
        logits = self._logits.expand(*batch_shape, self._logits.shape[-1])
        return BinaryChain(logits, self._layers, self._sizes, reverse=self._reverse)
