"""What autoregressive decoders of images share: the shapes, and how the output begins and ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pyvae.decoders.autoregressive.base import AutoregressiveDecoder
from pyvae.networks import image_shape

__all__ = ["PixelDecoder"]


class PixelDecoder(AutoregressiveDecoder, ABC):
    """Features of each pixel, and 1x1 convolutions from them to the likelihood's parameters.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width)
        positions: for each of the parameters the pixel that it belongs to
        channels: of the features

    Raises:
        ValueError: data that are no images.
    """

    #: What messages call the decoder.
    part: ClassVar[str]

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        channels: int,
    ) -> None:
        super().__init__(latent_dim, out_shape, data_shape, positions)
        self.inputs, *_ = image_shape(data_shape, self.part)
        planes, *_ = image_shape(out_shape, self.part)
        self.head = self.output(channels, planes)

    def output(self, channels: int, planes: int) -> nn.Sequential:
        """From features to the likelihood's parameters; the last layer has their bias."""
        return nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, planes, 1)
        )

    @abstractmethod
    def features(self, z: Tensor, x: Tensor) -> Tensor:
        """(N, channels, height, width) for z (N, latent_dim) and x (N, *data_shape)."""

    def forward(self, z: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
        out: Tensor = self.head(self.features(z.flatten(0, -2), x.flatten(0, -4)))
        return out.reshape(*x.shape[:-3], *self.out_shape)

    @torch.no_grad()
    def init_output(self, params: Tensor) -> None:
        self.head[-1].bias.copy_(params.mean((-2, -1)))  # type: ignore[operator]
