"""Convolutional encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pyvae.encoders.base import Encoder
from pyvae.networks import CONV, activation_layer, grid_shape, halved_sizes, mlp_layers
from pyvae.registry import encoders

__all__ = ["ConvEncoder"]


@encoders.register("conv")
class ConvEncoder(Encoder):
    """Strided convolutions of width 3, each of which halves the grid (rounding up), then linear.

    Args:
        data_shape: (channels, length) of signals, (channels, height, width) of images or
            (channels, depth, height, width) of volumes, of any size
        channels: the number of channels after each convolution
        hidden: the width of each linear layer
        activation: the name of the function after each layer

    Raises:
        ValueError: the data lie on no grid.

    >>> import torch
    >>> ConvEncoder((3, 13, 7), hidden=(64,))(torch.zeros(2, 3, 13, 7)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        channels: Sequence[int] = (32, 64),
        hidden: Sequence[int] = (256,),
        activation: str = "relu",
    ) -> None:
        super().__init__(data_shape)
        c, *sizes = grid_shape(data_shape, "the conv encoder")
        layers: list[nn.Module] = []
        for before, after in pairwise([c, *channels]):
            layers += [
                CONV[len(sizes)](before, after, 3, stride=2, padding=1),
                activation_layer(activation),
            ]
            c = after
        widths = [c * math.prod(halved_sizes(sizes, len(channels))[-1]), *hidden]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *mlp_layers(widths, activation))
        self.out_features = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features
