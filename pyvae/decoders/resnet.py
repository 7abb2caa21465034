"""Residual convolutional decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pyvae.decoders.base import Decoder
from pyvae.networks import CONV, check_latent_shape, grid_shape, halved_sizes
from pyvae.networks.residual import ResidualBlock, group_norm
from pyvae.registry import decoders

__all__ = ["ResNetDecoder"]


@decoders.register("resnet")
class ResNetDecoder(Decoder):
    """The resnet encoder backwards: residual blocks, and before each level the grid is doubled.

    Doubling repeats the nearest value, then convolves (Odena, Dumoulin & Olah 2016).

    Args:
        latent_dim: the number of latents
        out_shape: the shape of the likelihood's parameters: a signal, an image or a volume
        channels: the number of channels of each level
        blocks: residual blocks in each level
        latent_shape: (channels, *grid) of spatial latents; what stands behind them in z, a
            condition, is the same at each place

    Raises:
        ValueError: the parameters lie on no grid, or the latents on another one.

    >>> ResNetDecoder(8, (3, 13, 7), channels=(32, 16))(torch.zeros(5, 2, 8)).shape
    torch.Size([5, 2, 3, 13, 7])
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        channels: Sequence[int] = (256, 128, 64),
        blocks: int = 1,
        latent_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(latent_dim, out_shape)
        planes, *whole = grid_shape(out_shape, "the resnet decoder")
        if not channels:
            raise ValueError("the resnet decoder needs at least one entry in channels")
        sizes = halved_sizes(whole, len(channels))[::-1]
        self.latent_shape = check_latent_shape(latent_shape, sizes[0], "decoder")
        dims, conv = len(whole), CONV[len(whole)]
        self.first: nn.Module
        if self.latent_shape is None:
            start = (channels[0], *sizes[0])
            linear = nn.Linear(latent_dim, math.prod(start))
            self.first = nn.Sequential(linear, nn.Unflatten(1, start))
        else:
            given = latent_dim - math.prod(self.latent_shape)  # a condition
            self.first = conv(self.latent_shape[0] + given, channels[0], 3, padding=1)
        layers: list[nn.Module] = []
        for (before, after), size in zip(
            pairwise([*channels, channels[-1]]), sizes[1:], strict=True
        ):
            layers += [ResidualBlock(dims, before) for _ in range(blocks)]
            layers += [nn.Upsample(size), conv(before, after, 3, padding=1)]
        last = channels[-1]
        layers += [ResidualBlock(dims, last), group_norm(last), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.output = conv(last, planes, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        batch = z.shape[:-1]
        rows = z.reshape(batch.numel(), self.latent_dim)
        out: Tensor = self.output(self.layers(self.first(self._on_grid(rows))))
        return out.reshape(*batch, *self.out_shape)

    def _on_grid(self, z: Tensor) -> Tensor:
        if self.latent_shape is None:
            return z
        _, *grid = self.latent_shape
        count = math.prod(self.latent_shape)
        latents = z[:, :count].unflatten(1, self.latent_shape)
        given = z[:, count:].reshape(*z[:, count:].shape, *[1] * len(grid))
        return torch.cat([latents, given.expand(*given.shape[:2], *grid)], 1)

    def init_output(self, params: Tensor) -> None:
        """The bias is one number per channel: the mean over the grid."""
        with torch.no_grad():
            self.output.bias.copy_(params.flatten(1).mean(1))
