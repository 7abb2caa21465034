"""Layers of variables, each drawn given the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import check_event

__all__ = ["Chain", "layer_kl"]

Self = TypeVar("Self", bound="Chain")


class Chain(Distribution):
    r"""Layers of variables h_1, h_2, ..., a Markov chain, one event all together.

    .. math:: p(h) = p(h_1) \prod_{l > 1} p(h_l | h_{l-1})

    Prior and posterior of models with several layers of latents (Rezende, Mohamed & Wierstra 2014;
    Burda, Grosse & Salakhutdinov 2016). Its densities are those of its layers.

    Args:
        first: the distribution of h_1, with batch shape (*batch,) and event shape (h_1,)
        layers: that of h_2, h_3, ...: from the layer before it (*, h_(l-1)) to a distribution with
            batch shape (*,) and event shape (h_l,)
        sizes: h_1, h_2, ...
        reverse: whether the event lists the layers from the last to the first

    >>> from pyvae.distributions import DiagonalGaussian, StandardNormal
    >>> chain = Chain(StandardNormal((4,)), [lambda h: DiagonalGaussian(h[..., :2], 0.0)], [4, 2])
    >>> chain.rsample((5,)).shape
    torch.Size([5, 6])
    >>> chain.layer_log_prob(torch.zeros(6))
    tensor([-3.6758, -1.8379])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(
        self,
        first: Distribution,
        layers: Sequence[Callable[[Tensor], Distribution]],
        sizes: Sequence[int],
        *,
        reverse: bool = False,
    ) -> None:
        self.first, self.layers, self.sizes = first, tuple(layers), tuple(sizes)
        self.reverse = reverse
        self.has_rsample = first.has_rsample
        super().__init__(first.batch_shape, Size((sum(self.sizes),)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint | None:
        support: constraints.Constraint | None = self.first.support
        return support

    @property
    def mean(self) -> Tensor:
        """The mean of a single layer; of several there is no closed form."""
        if self.layers:
            name = type(self).__name__
            raise NotImplementedError(f"{name}: the mean of several layers has no closed form")
        return self.first.mean

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, sum of sizes), layer by layer, differentiable."""
        drawn = [self.first.rsample(Size(sample_shape))]
        for layer in self.layers:
            drawn.append(layer(drawn[-1]).rsample())
        return self.joined(drawn)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, sum of sizes), layer by layer."""
        with torch.no_grad():
            drawn = [self.first.sample(Size(sample_shape))]
            for layer in self.layers:
                drawn.append(layer(drawn[-1]).sample())
            return self.joined(drawn)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(h) in nats, the sum over the layers.

        Args:
            value: (*sample, *batch, sum of sizes)
        """
        first, *others = self._each(value)
        return sum(others, first)

    def layer_log_prob(self, value: Tensor) -> Tensor:
        """log p of each layer given the one before it (*batch, layers), as the event lists them."""
        each = torch.stack(torch.broadcast_tensors(*self._each(value)), -1)
        return each.flip(-1) if self.reverse else each

    def _each(self, value: Tensor) -> list[Tensor]:
        check_event(self, value)
        units = self.split(value)
        each = [self.first.log_prob(units[0])]
        for layer, given, unit in zip(self.layers, units[:-1], units[1:], strict=True):
            each.append(layer(given).log_prob(unit))
        return each

    def split(self, value: Tensor) -> list[Tensor]:
        """The layers of an event (*, sum of sizes), first layer first."""
        step = -1 if self.reverse else 1
        return list(value.split(self.sizes[::step], dim=-1))[::step]

    def joined(self, units: Sequence[Tensor]) -> Tensor:
        """Layers, first layer first, as an event: what :meth:`split` takes apart."""
        return torch.cat(list(units)[:: -1 if self.reverse else 1], dim=-1)

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        first = self.first.expand(Size(batch_shape))
        Chain.__init__(new, first, self.layers, self.sizes, reverse=self.reverse)
        return new


def layer_kl(q: Distribution, p: Distribution, z: Tensor) -> Tensor | None:
    """log q - log p of each layer of chains (*batch, layers) at samples z of q; None of others.

    Its mean over z, summed over the layers, is KL(q || p). The chains may run in opposite
    directions, as bottom-up inference and generation do, over the same layers.

    >>> from pyvae.distributions import StandardNormal
    >>> chain = Chain(StandardNormal((2,)), [lambda h: StandardNormal((2,))], [2, 2])
    >>> layer_kl(chain, chain, torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """
    if not isinstance(q, Chain) or not isinstance(p, Chain):
        return None
    if q.sizes[:: -1 if q.reverse else 1] != p.sizes[:: -1 if p.reverse else 1]:
        return None
    return q.layer_log_prob(z) - p.layer_log_prob(z)
