"""The gated PixelCNN."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.base import Step
from pyvae.decoders.autoregressive.pixels import PixelDecoder
from pyvae.registry import decoders

__all__ = ["GatedPixelCNNDecoder"]


def _gate(h: Tensor) -> Tensor:
    a, b = h.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


class _Layer(nn.Module):
    """One layer of both stacks; the first one sees images, without the pixel itself."""

    def __init__(self, inputs: int, channels: int, size: int, latent_dim: int, first: bool) -> None:
        super().__init__()
        self.reach, self.first = size // 2, first
        own = 0 if first else 1  # the row, or the pixel, that it has reached
        self.down = nn.Conv2d(inputs, 2 * channels, (self.reach + own, size))
        self.right = nn.Conv2d(inputs, 2 * channels, (1, self.reach + own))
        self.across = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.latent = nn.Linear(latent_dim, 4 * channels, bias=False) if latent_dim else None

    def shifts(self, z: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """What latents add to the two stacks."""
        if self.latent is None:
            return 0.0, 0.0
        vertical, horizontal = self.latent(z)[..., None, None].chunk(2, 1)
        return vertical, horizontal

    def rows(self, v: Tensor, last: bool = False) -> Tensor:
        """The vertical stack before its gate, for all rows; or for the last one alone.

        The first layer's last row is that below the rows given.
        """
        r = self.reach
        if last:
            need = r + (not self.first)
            v = F.pad(v, [r, r, max(need - v.shape[2], 0), 0])[:, :, -need:]
            return self.down(v)  # type: ignore[no-any-return]
        rows: Tensor = self.down(F.pad(v, [r, r, r, 0]))
        return rows[:, :, : v.shape[2]]

    def pixels(self, h: Tensor, last: bool = False) -> Tensor:
        """The horizontal stack before its gate, for all pixels of rows; or for the last one."""
        r = self.reach
        if last:
            need = r + (not self.first)
            h = F.pad(h, [max(need - h.shape[3], 0), 0])[..., -need:]
            return self.right(h)  # type: ignore[no-any-return]
        pixels: Tensor = self.right(F.pad(h, [r, 0]))
        return pixels[..., : h.shape[3]]

    def joined(self, h: Tensor, right: Tensor, down: Tensor, shift: Tensor | float) -> Tensor:
        """The horizontal stack's output, of its own part and the vertical stack's."""
        out: Tensor = self.out(_gate(right + self.across(down) + shift))
        return out if self.first else h + out


@decoders.register("gated_pixelcnn")
class GatedPixelCNNDecoder(PixelDecoder):
    """Two stacks of gated convolutions without a blind spot: van den Oord et al. 2016b.

    The vertical stack sees the rows above, the horizontal one what lies to the left and, through
    1x1 convolutions, the vertical one (figure 2). Latents are added before each gate, as the
    conditional PixelCNN has it (eq. 4). All channels of a pixel are explained at once.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width)
        positions: for each of the parameters the pixel that it belongs to
        channels: of each stack
        layers: how many
        first_size: the width of the first convolution, odd
        size: that of the others, odd

    Raises:
        ValueError: data that are no images, no layer, or sizes that are not odd.

    >>> from pyvae.networks import positions_of
    >>> at = positions_of((1, 5, 4))
    >>> net = GatedPixelCNNDecoder(2, (1, 5, 4), (1, 5, 4), at, channels=8, layers=2)
    >>> net(torch.zeros(3, 2), torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3, 1, 5, 4])
    """

    part = "the gated_pixelcnn decoder"

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        channels: int = 64,
        layers: int = 7,
        first_size: int = 7,
        size: int = 5,
    ) -> None:
        if channels < 1 or layers < 1 or first_size % 2 == 0 or size % 2 == 0 or first_size < 3:
            raise ValueError(
                f"{self.part} takes at least one channel and layer, and odd sizes, "
                f"the first one at least 3, got channels={channels}, layers={layers}, "
                f"first_size={first_size} and size={size}"
            )
        super().__init__(latent_dim, out_shape, data_shape, positions, channels)
        widths = [self.inputs, *[channels] * (layers - 1)]
        sizes = [first_size, *[size] * (layers - 1)]
        self.layers = nn.ModuleList(
            _Layer(width, channels, s, latent_dim, first=i == 0)
            for i, (width, s) in enumerate(zip(widths, sizes, strict=True))
        )

    def features(self, z: Tensor, x: Tensor) -> Tensor:
        v = h = x
        for layer in self._layers():
            vertical, horizontal = layer.shifts(z)
            down = layer.rows(v)
            h = layer.joined(h, layer.pixels(h), down, horizontal)
            v = _gate(down + vertical)
        return h

    def _layers(self) -> list[_Layer]:
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def stepper(self, z: Tensor) -> Step:
        """Keeps both stacks: a row of the vertical one is made when the row above is complete."""
        layers, width = self._layers(), self.data_shape[2]
        shifts = [layer.shifts(z) for layer in layers]
        above: list[Tensor | None] = [None] * len(layers)  # each layer's vertical input, so far
        downs: list[Tensor] = []  # its vertical stack in the present row
        left: list[Tensor | None] = [None] * len(layers)  # its horizontal input in this row

        def begin_row(x: Tensor, i: int) -> None:
            downs.clear()
            v = x[:, :, :i] if i else x.new_zeros(*x.shape[:2], 1, x.shape[3])
            for k, (layer, (vertical, _)) in enumerate(zip(layers, shifts, strict=True)):
                downs.append(layer.rows(v, last=True))
                v = _gate(downs[-1] + vertical)
                if k + 1 < len(layers):
                    rows = above[k + 1]
                    v = v if rows is None else torch.cat([rows[:, :, -layers[k + 1].reach :], v], 2)
                    above[k + 1] = v

        def step(x: Tensor, position: int) -> Tensor:
            i, j = divmod(position, width)
            if j == 0:
                begin_row(x, i)
                left[:] = [None] * len(layers)
            h = x[:, :, i : i + 1, :j] if j else x.new_zeros(*x.shape[:2], 1, 1)
            for k, (layer, (_, horizontal)) in enumerate(zip(layers, shifts, strict=True)):
                if k:
                    before = left[k]
                    h = h if before is None else torch.cat([before[..., -layer.reach :], h], 3)
                    left[k] = h
                own = h[..., -1:]
                h = layer.joined(
                    own, layer.pixels(h, last=True), downs[k][..., j : j + 1], horizontal
                )
            out: Tensor = self.head(h)
            return out.flatten(1)

        return step
