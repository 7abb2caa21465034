"""The PixelCNN."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.decoders.autoregressive.blocks import BlockDecoder, PixelBlock, PixelStep
from pyvae.decoders.autoregressive.masked import MaskedConv2d
from pyvae.registry import decoders

__all__ = ["PixelCNNDecoder"]


class _Block(PixelBlock):
    """1x1, masked 3x3, 1x1, around which the input goes.

    Weights start as He et al. 2015 say, for as many inputs as the mask lets through, and the last
    ones for one of ``blocks`` that add up. As torch starts its layers, a pixel six rows above has a
    thousandth of the influence of the row above, and training begins with the neighbours alone.
    """

    def __init__(self, channels: int, size: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels // 2, 1)
        self.masked = MaskedConv2d(channels // 2, channels // 2, size, own=True)
        self.last = nn.Conv2d(channels // 2, channels, 1)
        inputs = channels // 2 * int(self.masked.mask.sum())
        nn.init.normal_(self.first.weight, std=math.sqrt(2 / channels))
        nn.init.normal_(self.masked.weight, std=math.sqrt(2 / inputs))
        nn.init.normal_(self.last.weight, std=math.sqrt(2 / (channels // 2 * blocks)))

    def before(self, h: Tensor) -> Tensor:
        return torch.relu(self.first(torch.relu(h)))

    def after(self, h: Tensor, seen: Tensor) -> Tensor:
        out: Tensor = h + self.last(torch.relu(seen))
        return out

    def forward(self, h: Tensor) -> Tensor:
        return self.after(h, self.masked(self.before(h)))

    def stepper(self, like: Tensor, height: int, width: int) -> PixelStep:
        """Keeps what the masked convolution sees."""
        r = self.masked.reach
        kept = like.new_zeros(len(like), self.masked.in_channels, height + 2 * r, width + 2 * r)

        def step(h: Tensor, i: int, j: int) -> Tensor:
            kept[:, :, i + r, j + r] = self.before(h)[:, :, 0, 0]
            seen = kept[:, :, i : i + 2 * r + 1, j : j + 2 * r + 1]
            return self.after(h, self.masked.within(seen))

        return step


@decoders.register("pixelcnn")
class PixelCNNDecoder(BlockDecoder):
    """Masked convolutions in residual blocks: van den Oord, Kalchbrenner and Kavukcuoglu 2016.

    The first layer sees what lies before a pixel, the others the pixel too (section 3.4, masks A
    and B; table 1). All channels of a pixel are explained at once. Latents are added, as a plane
    for each channel, after the first layer.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width)
        positions: for each of the parameters the pixel that it belongs to
        channels: of each block, an even number
        blocks: how many
        first_size: the width of the first convolution, odd
        size: that of the others, odd

    Raises:
        ValueError: data that are no images, or sizes that are not odd.

    >>> from pyvae.networks import positions_of
    >>> at = positions_of((1, 5, 4))
    >>> net = PixelCNNDecoder(0, (1, 5, 4), (1, 5, 4), at, channels=8, blocks=2)
    >>> net(torch.zeros(3, 0), torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3, 1, 5, 4])
    """

    part = "the pixelcnn decoder"

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        channels: int = 64,
        blocks: int = 7,
        first_size: int = 7,
        size: int = 3,
    ) -> None:
        if channels < 2 or channels % 2 or blocks < 0 or not first_size % 2 or not size % 2:
            raise ValueError(
                f"{self.part} takes an even number of channels, blocks of at least 0 and "
                f"odd sizes, got channels={channels}, blocks={blocks}, first_size={first_size} "
                f"and size={size}"
            )
        each = (_Block(channels, size, blocks) for _ in range(blocks))
        super().__init__(latent_dim, out_shape, data_shape, positions, channels, first_size, each)
