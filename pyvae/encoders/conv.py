"""Convolutional encoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pyvae.encoders.base import Encoder
from pyvae.networks import activation_layer, halved_sizes, image_shape, mlp_layers
from pyvae.registry import encoders

__all__ = ["ConvEncoder"]


@encoders.register("conv")
class ConvEncoder(Encoder):
    """Strided 3x3 convolutions, each of which halves the image (rounding up), then linear layers.

    Args:
        data_shape: (channels, height, width), of any size
        channels: the number of channels after each convolution
        hidden: the width of each linear layer
        activation: the name of the function after each layer

    Raises:
        ValueError: the data are not images.

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
        c, h, w = image_shape(data_shape, "the conv encoder")
        layers: list[nn.Module] = []
        for before, after in pairwise([c, *channels]):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                activation_layer(activation),
            ]
            c = after
        h, w = halved_sizes((h, w), len(channels))[-1]
        sizes = [c * h * w, *hidden]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *mlp_layers(sizes, activation))
        self.out_features = sizes[-1]

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features
