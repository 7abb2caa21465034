"""Convolutions that see nothing after a pixel, over whole maps or one row or pixel at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

__all__ = ["CausalConv", "CausalUpsampling", "Place"]


@dataclass(frozen=True)
class Place:
    """Where a map is being drawn, and what its layers keep of what came before.

    A row is drawn whole, from column 0, or pixel by pixel.
    """

    kept: dict[nn.Module, Any]
    width: int  #: of the map
    i: int  #: the row
    j: int = 0  #: the first column

    def keep(self, layer: nn.Module, make: Callable[[], Any]) -> Any:
        """What a layer keeps, made when it is asked for the first time."""
        if layer not in self.kept:
            self.kept[layer] = make()
        return self.kept[layer]

    @property
    def even(self) -> bool:
        """Whether a map of half the size has this row or pixel, too."""
        return self.i % 2 == 0 and self.j % 2 == 0

    def halved(self) -> Place:
        """The same place in the map of half the size."""
        return Place(self.kept, (self.width + 1) // 2, self.i // 2, self.j // 2)


class CausalConv(nn.Module):
    """A convolution whose kernel ends in a pixel's own row, with normalized weights.

    Without columns to the right it sees no pixel after its own one; with them, it is one of
    whole rows (Salimans et al. 2017, figure 2).

    Args:
        before: channels that come in
        after: channels that go out
        size: rows and columns of the kernel
        right: how many of the columns lie to the right of the pixel
        stride: 2 halves the map, rounding up
    """

    def __init__(
        self, before: int, after: int, size: tuple[int, int], right: int = 0, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(before, after, size, stride))
        self.rows, self.left, self.right = size[0], size[1] - 1 - right, right
        self.stride = stride

    def forward(self, x: Tensor, place: Place | None = None) -> Tensor:
        """Of a map (N, before, height, width); or of its row or pixel at a place.

        With a stride, the place must be even.
        """
        if place is None:
            out: Tensor = self.conv(F.pad(x, [self.left, self.right, self.rows - 1, 0]))
            return out
        weight, bias, seen = place.keep(self, lambda: self._start(x, place.width))
        self.see(x, place)
        ends = place.j + self.left + x.shape[3] + self.right
        return F.conv2d(seen[..., place.j : ends], weight, bias, self.stride)

    def _start(self, x: Tensor, width: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """The weights as they are, and room for the rows that the kernel sees."""
        columns = self.left + width + self.right
        seen = x.new_zeros(len(x), x.shape[1], self.rows, columns)
        return self.conv.weight, self.conv.bias, seen

    def see(self, x: Tensor, place: Place) -> None:
        """Take note of the row or pixel of the map at a place."""
        seen = place.keep(self, lambda: self._start(x, place.width))[2]
        if place.j == 0:
            seen[:, :, :-1] = seen[:, :, 1:].clone()
            seen[:, :, -1] = 0
        seen[:, :, -1:, self.left + place.j : self.left + place.j + x.shape[3]] = x


class CausalUpsampling(nn.Module):
    """A transposed convolution that doubles a map, each row or pixel from none after its own.

    Args:
        channels: that come in, and go out
        columns: of the kernel; 2: each pixel becomes four; 3: neighbours to either side are seen
    """

    def __init__(self, channels: int, columns: int) -> None:
        super().__init__()
        conv = nn.ConvTranspose2d(channels, channels, (2, columns), 2)
        self.conv = weight_norm(conv, dim=1)
        self.cut = columns - 2

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """A map of this height and width, twice those of x or one less."""
        height, width = size
        out: Tensor = self.conv(x)
        return out[:, :, :height, self.cut : self.cut + width]

    def put(self, x: Tensor, place: Place) -> None:
        """Take note of the row or pixel of the small map at a place in the large one, even."""
        weight, bias, made = place.keep(self, lambda: self._start(x, place.width))
        out = F.conv_transpose2d(x, weight, bias, 2)
        made[..., place.j : place.j + out.shape[3]] = out

    def _start(self, x: Tensor, width: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """The weights as they are, and room for two rows."""
        made = x.new_zeros(len(x), x.shape[1], 2, width + width % 2 + self.cut)
        return self.conv.weight, self.conv.bias, made

    def get(self, place: Place, columns: int) -> Tensor:
        """The row or pixels of the large map at a place."""
        made = place.kept[self][2]
        start = place.j + self.cut
        row: Tensor = made[:, :, place.i % 2 : place.i % 2 + 1, start : start + columns]
        return row
