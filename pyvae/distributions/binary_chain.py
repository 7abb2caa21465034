"""Layers of 0/1 variables, each drawn given the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.bernoulli import Bernoulli
from pyvae.distributions.chain import Chain

__all__ = ["BinaryChain"]


class BinaryChain(Chain):
    r"""A sigmoid belief network: layers of 0/1 variables h_1, h_2, ..., one event all together.

    .. math:: p(h) = \prod_l \prod_i \mathrm{Bernoulli}(h_{l,i};\ \sigma(f_l(h_{l-1})_i))

    Neal 1992. With a single layer these are independent Bernoulli variables.

    Args:
        logits: of the first layer, (*batch, h_1)
        layers: f_2, f_3, ...: the logits (*, h_l) of a layer for the layer before it (*, h_(l-1))
        sizes: h_1, h_2, ...
        reverse: whether the event lists the layers from the last to the first

    >>> import torch
    >>> chain = BinaryChain(torch.zeros(3, 4), [lambda h: h[..., :2]], [4, 2])
    >>> chain.sample((5,)).shape
    torch.Size([5, 3, 6])
    >>> chain.log_prob(torch.zeros(3, 6))
    tensor([-4.1589, -4.1589, -4.1589])
    """

    support = constraints.independent(constraints.boolean, 1)

    def __init__(
        self,
        logits: Tensor,
        layers: Sequence[Callable[[Tensor], Tensor]],
        sizes: Sequence[int],
        *,
        reverse: bool = False,
    ) -> None:
        given = [partial(_given, layer) for layer in layers]
        super().__init__(_bits(logits), given, sizes, reverse=reverse)


def _bits(logits: Tensor) -> Bernoulli:
    return Bernoulli(logits=logits, event_ndim=1, validate_args=False)


def _given(layer: Callable[[Tensor], Tensor], units: Tensor) -> Bernoulli:
    return _bits(layer(units))
