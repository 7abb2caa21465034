"""The PixelCNN."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.base import Step
from pyvae.decoders.autoregressive.pixels import PixelDecoder
from pyvae.registry import decoders

__all__ = ["PixelCNNDecoder"]


class _MaskedConv(nn.Conv2d):
    """A convolution that sees the rows above, and of its own row what lies to the left."""

    mask: Tensor

    def __init__(self, before: int, after: int, size: int, own: bool) -> None:
        """own: and the pixel itself."""
        super().__init__(before, after, size)
        mask = torch.zeros(size, size)
        mask[: size // 2] = 1
        mask[size // 2, : size // 2 + own] = 1
        self.register_buffer("mask", mask, persistent=False)
        self.reach = size // 2

    def forward(self, x: Tensor) -> Tensor:
        """Same size as x."""
        return self.within(F.pad(x, [self.reach] * 4))

    def within(self, padded: Tensor) -> Tensor:
        """Smaller than x by what it reaches, on each side."""
        return F.conv2d(padded, self.weight * self.mask, self.bias)


class _Block(nn.Module):
    """1x1, masked 3x3, 1x1, around which the input goes."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels // 2, 1)
        self.masked = _MaskedConv(channels // 2, channels // 2, size, own=True)
        self.last = nn.Conv2d(channels // 2, channels, 1)

    def before(self, h: Tensor) -> Tensor:
        return torch.relu(self.first(torch.relu(h)))

    def after(self, h: Tensor, seen: Tensor) -> Tensor:
        out: Tensor = h + self.last(torch.relu(seen))
        return out

    def forward(self, h: Tensor) -> Tensor:
        return self.after(h, self.masked(self.before(h)))


@decoders.register("pixelcnn")
class PixelCNNDecoder(PixelDecoder):
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
                f"the pixelcnn decoder takes an even number of channels, blocks of at least 0 and "
                f"odd sizes, got channels={channels}, blocks={blocks}, first_size={first_size} "
                f"and size={size}"
            )
        part = "the pixelcnn decoder"
        super().__init__(latent_dim, out_shape, data_shape, positions, channels, part)
        self.first = _MaskedConv(self.inputs, channels, first_size, own=False)
        self.latent = nn.Linear(latent_dim, channels, bias=False) if latent_dim else None
        self.blocks = nn.ModuleList(_Block(channels, size) for _ in range(blocks))

    def features(self, z: Tensor, x: Tensor) -> Tensor:
        h: Tensor = self.first(x) + self._shift(z)
        for block in self.blocks:
            h = block(h)
        return h

    def _shift(self, z: Tensor) -> Tensor | float:
        return 0.0 if self.latent is None else self.latent(z)[..., None, None]

    def stepper(self, z: Tensor) -> Step:
        """Keeps what each block has made of the pixels before."""
        _, height, width = self.data_shape
        shift = self._shift(z)
        blocks = [block for block in self.blocks if isinstance(block, _Block)]
        reaches = [block.masked.reach for block in blocks]
        kept = [
            z.new_zeros(len(z), block.masked.in_channels, height + 2 * r, width + 2 * r)
            for block, r in zip(blocks, reaches, strict=True)
        ]

        def step(x: Tensor, position: int) -> Tensor:
            i, j = divmod(position, width)
            r = self.first.reach
            window = F.pad(x, [r] * 4)[:, :, i : i + 2 * r + 1, j : j + 2 * r + 1]
            h = self.first.within(window) + shift
            for block, reach, maps in zip(blocks, reaches, kept, strict=True):
                maps[:, :, i + reach, j + reach] = block.before(h)[:, :, 0, 0]
                seen = maps[:, :, i : i + 2 * reach + 1, j : j + 2 * reach + 1]
                h = block.after(h, block.masked.within(seen))
            out: Tensor = self.head(h)
            return out.flatten(1)

        return step
