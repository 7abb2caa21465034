"""How side inputs reach networks that know nothing of them: as further channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.encoders import Encoder

__all__ = ["seen_shape", "takes_condition", "with_channels"]


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
