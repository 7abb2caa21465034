"""What every encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

__all__ = ["Encoder"]


class Encoder(nn.Module, ABC):
    """A network from data to features, of which a posterior makes q(z|x).

    A subclass sets ``out_features`` and defines ``forward``. A conditional model gives the
    condition to any encoder as further channels of x. One that names it in ``side_inputs`` is given
    it by name instead: its ``__init__`` takes ``condition_dim``, its ``forward`` ``condition``.

    Args:
        data_shape: the shape of what it sees of one datum.
    """

    #: ("condition",) for an encoder that is given the condition (B, condition_dim) by name.
    side_inputs: ClassVar[tuple[str, ...]] = ()
    out_features: int  #: the number of features per datum

    def __init__(self, data_shape: Sequence[int]) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Features (B, out_features) of x (B, *data_shape), in the parameters' dtype."""
