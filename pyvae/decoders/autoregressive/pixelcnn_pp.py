"""PixelCNN++."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from pyvae.decoders.autoregressive.base import Step
from pyvae.decoders.autoregressive.causal import CausalConv, Place
from pyvae.decoders.autoregressive.causal_unet import CausalUNet, Outputs
from pyvae.decoders.autoregressive.pixels import PixelDecoder
from pyvae.registry import decoders

__all__ = ["PixelCNNPPDecoder"]


@decoders.register("pixelcnn_pp")
class PixelCNNPPDecoder(PixelDecoder):
    """PixelCNN++: Salimans, Karpathy, Chen and Kingma 2017.

    Two streams, one of the rows above and one of the pixels before, whose convolutions end at the
    pixel, so that no mask is needed; gated residual layers with dropout at several sizes of the
    map, with short-cuts between them (sections 2.3 to 2.5); weights are normalized, and start as
    torch makes them. All channels of a pixel are explained at once: its likelihood, the mixture of
    discretized logistics, has them depend on each other. Latents are added before each gate.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width), of any size: halves are rounded up
        positions: for each of the parameters the pixel that it belongs to
        channels: of each stream
        layers: at each size, on the way there and on the way back
        sizes: how many sizes of the map there are, each half of the one before
        dropout: the share of values that are set to 0 between the convolutions of a layer

    Raises:
        ValueError: data that are no images, fewer than one of something, or no share for dropout.

    >>> from pyvae.networks import positions_of
    >>> at = positions_of((1, 5, 4))
    >>> net = PixelCNNPPDecoder(2, (1, 5, 4), (1, 5, 4), at, channels=8, layers=1, sizes=2)
    >>> net(torch.zeros(3, 2), torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3, 1, 5, 4])
    """

    part = "the pixelcnn_pp decoder"

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        channels: int = 64,
        layers: int = 2,
        sizes: int = 3,
        dropout: float = 0.5,
    ) -> None:
        if min(channels, layers, sizes) < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f"{self.part} takes at least one channel, layer and size, and dropout "
                f"from 0 to below 1, got channels={channels}, layers={layers}, sizes={sizes} and "
                f"dropout={dropout}"
            )
        super().__init__(latent_dim, out_shape, data_shape, positions, channels)
        inputs = self.inputs + 1  # and a plane of ones, which the border does not have
        self.rows_above = CausalConv(inputs, channels, (2, 3), right=1)
        self.row_above = CausalConv(inputs, channels, (1, 3), right=1)
        self.left = CausalConv(inputs, channels, (2, 1))
        each = (channels, layers, sizes)
        self.rows = CausalUNet(*each, rows_only=True, latent_dim=latent_dim, dropout=dropout)
        self.pixels = CausalUNet(*each, rows_only=False, latent_dim=latent_dim, dropout=dropout)

    def output(self, channels: int, planes: int) -> nn.Sequential:
        return nn.Sequential(nn.ELU(), weight_norm(nn.Conv2d(channels, planes, 1)))

    def features(self, z: Tensor, x: Tensor) -> Tensor:
        x = _with_ones(x)
        rows = self.rows(_down(self.rows_above(x)), z)
        pixels = _down(self.row_above(x)) + F.pad(self.left(x), [1, -1])
        out: Tensor = self.pixels(pixels, z, rows)[0][-1]
        return out

    def stepper(self, z: Tensor) -> Step:
        """Keeps the rows of every layer that others see: those of rows when the row above is there,
        those of smaller maps at every other row and pixel.
        """
        width = self.data_shape[2]
        kept: dict[nn.Module, object] = {}
        above = z.new_zeros(0)
        rows: Outputs = []

        def begin_row(x: Tensor, i: int) -> None:
            nonlocal above, rows
            if i:
                row, place = _with_ones(x[:, :, i - 1 : i]), Place(kept, width, i - 1)
                first, above = self.rows_above(row, place), self.row_above(row, place)
            else:
                first = above = z.new_zeros(len(z), self.row_above.conv.out_channels, 1, width)
            rows = self.rows(first, z, None, Place(kept, width, i))

        def step(x: Tensor, position: int) -> Tensor:
            i, j = divmod(position, width)
            if j == 0:
                begin_row(x, i)
            pixel = above[..., j : j + 1]
            if j:
                pixel = pixel + self.left(
                    _with_ones(x[:, :, i : i + 1, j - 1 : j]), Place(kept, width, i, j - 1)
                )
            out: Tensor = self.head(self.pixels(pixel, z, rows, Place(kept, width, i, j))[0][-1])
            return out.flatten(1)

        return step


def _with_ones(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


def _down(h: Tensor) -> Tensor:
    """A row lower."""
    return F.pad(h, [0, 0, 1, -1])
