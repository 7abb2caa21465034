"""What the distributions share: how shapes split into batch and event."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["OpDistribution", "broadcast", "precise", "root"]

Self = TypeVar("Self", bound="OpDistribution")


def broadcast(first: torch.Size, second: torch.Size) -> torch.Size:
    """The shape that both broadcast to; ``torch.broadcast_shapes`` is slow where they are alike."""
    if first == second or not second:
        return first
    shape: torch.Size = torch.broadcast_shapes(first, second)
    return shape


def precise(t: Tensor) -> Tensor:
    """In float32 at least, which 16-bit types compute in."""
    return t.to(torch.promote_types(t.dtype, torch.float32))


def root(variance: Tensor) -> Tensor:
    """The square root, with a gradient of 0 where the variance is 0."""
    none = variance == 0
    return torch.where(none, 0.0, torch.where(none, 1.0, variance).sqrt())


class OpDistribution(Distribution):
    """A distribution over tensors whose trailing ``event_ndim`` dimensions are one event."""

    @property
    def stddev(self) -> Tensor:
        return root(self.variance)

    def _split(self, shape: torch.Size, event_ndim: int | None, validate_args: bool | None) -> None:
        """Set the shapes, of parameters that broadcast to ``shape``, and validate."""
        if event_ndim is None:
            event_ndim = max(len(shape) - 1, 0)
        if not 0 <= event_ndim <= len(shape):
            raise ValueError(
                f"{type(self).__name__}: event_ndim must lie between 0 and the {len(shape)} "
                f"dimensions of the parameters {tuple(shape)}, got {event_ndim}"
            )
        self._event_ndim = event_ndim
        cut = len(shape) - event_ndim
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def _expanded(self: Self, batch_shape: Any, _instance: Any = None) -> Self:
        """A copy with another batch shape and no parameters yet."""
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        new._event_ndim = self._event_ndim
        Distribution.__init__(new, torch.Size(batch_shape), self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _batch_ndim(self, value: Tensor) -> int:
        """How many dimensions ``log_prob(value)`` has. Validates the value if asked to."""
        if self._validate_args and value.numel():  # torch's checks cannot take an empty batch
            self._validate_sample(value)
        if value.ndim < self._event_ndim:
            raise ValueError(
                f"{type(self).__name__}.log_prob: value must have the event shape "
                f"{tuple(self._event_shape)}, got {tuple(value.shape)}"
            )
        return max(value.ndim - self._event_ndim, len(self._batch_shape))
