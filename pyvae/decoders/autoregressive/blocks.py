"""What PixelCNN and PixelRNN share: a masked convolution, then blocks one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.base import Step
from pyvae.decoders.autoregressive.masked import MaskedConv2d
from pyvae.decoders.autoregressive.pixels import PixelDecoder

__all__ = ["BlockDecoder", "PixelBlock", "PixelStep"]

#: Features (N, channels, 1, 1) of a pixel, and its row and column -> the block's output there.
PixelStep = Callable[[Tensor, int, int], Tensor]


class PixelBlock(nn.Module, ABC):
    """From features of each pixel to such features, which see the pixel and those before it."""

    @abstractmethod
    def forward(self, h: Tensor) -> Tensor:
        """(N, channels, height, width) for h of the same shape."""

    @abstractmethod
    def stepper(self, like: Tensor, height: int, width: int) -> PixelStep:
        """The same pixel by pixel, in order, for N images of this size.

        Args:
            like: any tensor (N, ...) of the dtype and on the device of the features
            height: of the images
            width: of the images
        """


class BlockDecoder(PixelDecoder, ABC):
    """A convolution that sees what lies before a pixel, and blocks that see the pixel too.

    Latents are added, as a plane for each channel, after the convolution.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width)
        positions: for each of the parameters the pixel that it belongs to
        channels: of the features
        first_size: the width of the convolution, odd
        blocks: in their order

    Raises:
        ValueError: data that are no images.
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        channels: int,
        first_size: int,
        blocks: Iterable[PixelBlock],
    ) -> None:
        super().__init__(latent_dim, out_shape, data_shape, positions, channels)
        self.first = MaskedConv2d(self.inputs, channels, first_size, own=False)
        self.latent = nn.Linear(latent_dim, channels, bias=False) if latent_dim else None
        self.blocks = nn.ModuleList(blocks)

    def features(self, z: Tensor, x: Tensor) -> Tensor:
        h: Tensor = self.first(x) + self._shift(z)
        for block in self.blocks:
            h = block(h)
        return h

    def _shift(self, z: Tensor) -> Tensor | float:
        return 0.0 if self.latent is None else self.latent(z)[..., None, None]

    def stepper(self, z: Tensor) -> Step:
        """Keeps what each block needs of the pixels before."""
        _, height, width = self.data_shape
        shift, r = self._shift(z), self.first.reach
        steps = [b.stepper(z, height, width) for b in self.blocks if isinstance(b, PixelBlock)]

        def step(x: Tensor, position: int) -> Tensor:
            i, j = divmod(position, width)
            window = F.pad(x, [r] * 4)[:, :, i : i + 2 * r + 1, j : j + 2 * r + 1]
            h: Tensor = self.first.within(window) + shift
            for block in steps:
                h = block(h, i, j)
            out: Tensor = self.head(h)
            return out.flatten(1)

        return step
