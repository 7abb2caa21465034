"""Residual convolutional encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pyvae.encoders.base import Encoder
from pyvae.networks import CONV, check_latent_shape, grid_shape, halved_sizes
from pyvae.networks.residual import ResidualBlock, group_norm
from pyvae.registry import encoders

__all__ = ["ResNetEncoder"]


@encoders.register("resnet")
class ResNetEncoder(Encoder):
    """Residual blocks with normalization; after each level the grid is halved (rounding up).

    He et al. 2016. With ``latent_shape`` the features stay on the grid, one vector for each place
    of the latents, as the first stage of latent diffusion has them (Rombach et al. 2022).

    Args:
        data_shape: (channels, length), (channels, height, width) or (channels, depth, height,
            width), of any size; up to some 256 x 256 fit
        channels: the number of channels of each level
        blocks: residual blocks in each level
        latent_shape: (channels, *grid) of spatial latents; the grid is what the halvings leave

    Raises:
        ValueError: the data lie on no grid, or the latents on another one.

    >>> import torch
    >>> ResNetEncoder((3, 32, 32), channels=(16, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 2048])
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        channels: Sequence[int] = (64, 128, 256),
        blocks: int = 1,
        latent_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(data_shape)
        first, *sizes = grid_shape(data_shape, "the resnet encoder")
        if not channels:
            raise ValueError("the resnet encoder needs at least one entry in channels")
        left = halved_sizes(sizes, len(channels))[-1]
        self.latent_shape = check_latent_shape(latent_shape, left, "encoder")
        conv = CONV[len(sizes)]
        layers: list[nn.Module] = [conv(first, channels[0], 3, padding=1)]
        for before, after in pairwise([*channels, channels[-1]]):
            layers += [ResidualBlock(len(sizes), before) for _ in range(blocks)]
            layers.append(conv(before, after, 3, stride=2, padding=1))
        last = channels[-1]
        self.layers = nn.Sequential(*layers, group_norm(last), nn.SiLU(), nn.Flatten())
        self.out_features = last * math.prod(left)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features
