"""Transformer encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pyvae.encoders.base import Encoder
from pyvae.networks import grid_shape
from pyvae.networks.attention import Attention
from pyvae.registry import encoders

__all__ = ["TransformerEncoder"]


@encoders.register("transformer")
class TransformerEncoder(Encoder):
    """Layers of self-attention over the places of a sequence; the features are the mean of all.

    Vaswani et al. 2017, with the normalization before each layer (Xiong et al. 2020). Tokens come
    as one-hot channels, from the likelihood ``categorical`` with ``one_hot=true``; signals,
    images and volumes as they are, one place after the other.

    Args:
        data_shape: (channels, *grid) of what it sees
        width: of each place
        layers: how many
        heads: of each layer

    Raises:
        ValueError: the data lie on no grid, or the heads do not divide the width.

    >>> import torch
    >>> TransformerEncoder((8, 12))(torch.zeros(3, 8, 12)).shape
    torch.Size([3, 64])
    """

    def __init__(
        self, data_shape: Sequence[int], width: int = 64, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__(data_shape)
        channels, *grid = grid_shape(data_shape, "the transformer encoder")
        self.embedding = nn.Linear(channels, width)
        self.attention = Attention("the transformer encoder", grid, width, layers, heads)
        self.out_features = width

    def forward(self, x: Tensor) -> Tensor:
        places = self.embedding(x.flatten(2).transpose(1, 2))
        features: Tensor = self.attention(places).mean(1)
        return features
