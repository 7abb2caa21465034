"""What every encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["Encoder"]


class Encoder(nn.Module, ABC):
    """A network from data to features, of which a posterior makes q(z|x).

    A subclass sets ``out_features`` and defines ``forward``.

    Args:
        data_shape: the shape of one datum.
    """

    out_features: int  #: the number of features per datum

    def __init__(self, data_shape: Sequence[int]) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Features (B, out_features) of x (B, *data_shape), in the parameters' dtype."""
