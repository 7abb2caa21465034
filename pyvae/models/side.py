"""How side inputs reach networks that know nothing of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.encoders import Encoder
from pyvae.networks import ConditionEmbedding
from pyvae.priors import Prior

__all__ = ["EmbeddedPrior", "seen_shape", "takes_condition", "with_channels"]


def takes_condition(encoder: object) -> bool:
    """Whether an encoder, or a class of encoders, is given the condition by its name."""
    kind = encoder if isinstance(encoder, type) else type(encoder)
    return issubclass(kind, Encoder) and "condition" in kind.side_inputs


def seen_shape(input_shape: Sequence[int], *channels: int) -> tuple[int, ...]:
    """The shape of an input with further channels, which for a vector are further elements.

    >>> seen_shape((1, 28, 28), 1, 10), seen_shape((5,), 10)
    ((12, 28, 28), (15,))
    """
    first, *rest = input_shape
    return (first + sum(channels), *rest)


def with_channels(x: Tensor, *more: Tensor) -> Tensor:
    """x (B, C, ...) with further channels: (B, D, ...), or (B, D), the same at every place.

    >>> with_channels(torch.zeros(3, 1, 8, 8), torch.ones(3, 1, 8, 8), torch.ones(3, 10)).shape
    torch.Size([3, 12, 8, 8])
    """
    planes = [value.to(x.dtype) for value in more]
    places = [value.reshape(*value.shape, *[1] * (x.ndim - value.ndim)) for value in planes]
    return torch.cat([x, *(v.expand(*v.shape[:2], *x.shape[2:]) for v in places)], 1)


class EmbeddedPrior(Prior):
    """p(z|c) of a condition in which categories are embedded, by a prior of the embedded condition.

    Args:
        prior: the prior
        embedding: that of the model, which the other parts see as well
    """

    side_inputs = ("condition",)

    def __init__(self, prior: Prior, embedding: ConditionEmbedding) -> None:
        super().__init__(prior.latent_dim)
        self.inner = prior
        self._embedding = (embedding,)  # a part of the model, and not of the prior

    def forward(self, condition: Tensor | None = None) -> Distribution:
        embedded = None if condition is None else self._embedding[0](condition)
        p: Distribution = self.inner(condition=embedded)
        return p

    def init_from_data(self, x: Tensor) -> None:
        self.inner.init_from_data(x)
