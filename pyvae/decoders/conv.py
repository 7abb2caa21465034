"""Convolutional decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pyvae.decoders.base import Decoder
from pyvae.networks import CONV_TRANSPOSE, activation_layer, grid_shape, halved_sizes, mlp_layers
from pyvae.registry import decoders

__all__ = ["ConvDecoder"]


@decoders.register("conv")
class ConvDecoder(Decoder):
    """Linear layers, then transposed convolutions of width 3, each of which doubles the grid.

    The sizes are those of the conv encoder backwards, so they may be any.

    Args:
        latent_dim: the number of latents
        out_shape: (channels, length), (channels, height, width) or (channels, depth, height, width)
            of the likelihood's parameters
        channels: the number of channels before each convolution
        hidden: the width of each linear layer
        activation: the name of the function after each layer but the last

    Raises:
        ValueError: the likelihood's parameters lie on no grid, or ``channels`` is empty.

    >>> import torch
    >>> ConvDecoder(8, (3, 13, 7))(torch.zeros(5, 2, 8)).shape
    torch.Size([5, 2, 3, 13, 7])
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        channels: Sequence[int] = (64, 32),
        hidden: Sequence[int] = (256,),
        activation: str = "relu",
    ) -> None:
        super().__init__(latent_dim, out_shape)
        if not channels:
            raise ValueError("the conv decoder needs at least one entry in channels")
        c, *whole = grid_shape(out_shape, "the conv decoder")
        sizes = halved_sizes(whole, len(channels))[::-1]
        first = (channels[0], *sizes[0])
        widths = [latent_dim, *hidden, math.prod(first)]
        convolution = CONV_TRANSPOSE[len(whole)]
        layers = [*mlp_layers(widths, activation), nn.Unflatten(1, first)]
        planes, steps = pairwise([*channels, c]), pairwise(sizes)
        for (before, after), (small, large) in zip(planes, steps, strict=True):
            # (n - 1) 2 - 2 + 3 = 2n - 1 pixels: one more where the larger size is even
            more = [b - (2 * a - 1) for a, b in zip(small, large, strict=True)]
            layers += [
                convolution(before, after, 3, 2, padding=1, output_padding=more),
                activation_layer(activation),
            ]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, z: Tensor) -> Tensor:
        batch = z.shape[:-1]
        out: Tensor = self.layers(z.reshape(batch.numel(), self.latent_dim))
        return out.reshape(*batch, *self.out_shape)

    def init_output(self, params: Tensor) -> None:
        """The bias is one number per channel: the mean over the pixels."""
        bias = self.layers[-1].bias
        with torch.no_grad():
            bias.copy_(params.flatten(1).mean(1))  # type: ignore[operator]
