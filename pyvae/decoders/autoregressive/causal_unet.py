"""A stream of PixelCNN++: gated residual layers at several sizes of the map, with short-cuts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.causal import CausalConv, CausalUpsampling, Place

__all__ = ["CausalUNet"]

#: The outputs of all layers: for each size of the map, the largest first, in their order.
Outputs = list[list[Tensor]]


def concat_elu(h: Tensor) -> Tensor:
    """ELU of h and of -h, one after the other along the channels."""
    return F.elu(torch.cat([h, -h], 1))


class _GatedLayer(nn.Module):
    """h + a sigmoid(b), where a and b come of two convolutions of h.

    What other layers know is added between the two, latents before the gate.
    """

    def __init__(
        self, channels: int, rows_only: bool, others: int, latent_dim: int, dropout: float
    ) -> None:
        super().__init__()
        size, right = ((2, 3), 1) if rows_only else ((2, 2), 0)
        self.first = CausalConv(2 * channels, channels, size, right)
        self.aside = CausalConv(2 * others * channels, channels, (1, 1)) if others else None
        self.dropout = nn.Dropout(dropout)
        self.second = CausalConv(2 * channels, 2 * channels, size, right)
        self.latent = nn.Linear(latent_dim, 2 * channels, bias=False) if latent_dim else None

    def forward(
        self, h: Tensor, others: Sequence[Tensor], z: Tensor, place: Place | None
    ) -> Tensor:
        c: Tensor = self.first(concat_elu(h), place)
        if self.aside is not None:
            c = c + self.aside(concat_elu(torch.cat([*others], 1)), place)
        c = self.second(self.dropout(concat_elu(c)), place)
        if self.latent is not None:
            c = c + self.latent(z)[..., None, None]
        a, b = c.chunk(2, 1)
        return h + a * torch.sigmoid(b)


class CausalUNet(nn.Module):
    """Layers, then half the size and layers, and so on, and back: Salimans et al. 2017, figure 2.

    Every layer on the way back sees, by a short-cut, the output of its counterpart on the way
    there. The stream of rows sees the rows of its map up to its own one; that of pixels sees the
    pixels up to its own one, and in every layer the stream of rows.

    Args:
        channels: of every layer
        layers: at each size
        sizes: how many sizes of the map there are
        rows_only: the stream of rows
        latent_dim: the number of latents
        dropout: the share of values that are set to 0 between the convolutions of a layer
    """

    def __init__(
        self,
        channels: int,
        layers: int,
        sizes: int,
        rows_only: bool,
        latent_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        beside = 0 if rows_only else 1  # the other stream
        deeper = sizes > 1

        def some(count: int, others: int) -> nn.ModuleList:
            return nn.ModuleList(
                _GatedLayer(channels, rows_only, others, latent_dim, dropout) for _ in range(count)
            )

        self.there = some(layers, beside)
        self.back = some(layers + deeper, beside + 1)
        self.inner: CausalUNet | None = None
        if deeper:
            size, right = ((2, 3), 1) if rows_only else ((2, 2), 0)
            self.shrink = CausalConv(channels, channels, size, right, stride=2)
            self.inner = CausalUNet(channels, layers, sizes - 1, rows_only, latent_dim, dropout)
            self.grow = CausalUpsampling(channels, size[1])

    def forward(
        self, h: Tensor, z: Tensor, rows: Outputs | None = None, place: Place | None = None
    ) -> Outputs:
        """The outputs of all layers, the last one's as ``[0][-1]``.

        Args:
            h: a map (N, channels, height, width); or its row or pixel at a place
            z: latents (N, latent_dim)
            rows: what the stream of rows gave for the same map, or for the row of the place
            place: where h lies; layers of smaller maps are left out where those have no such place
        """
        beside = [self._cut(out, place) for out in rows[0]] if rows else []
        before, outputs = [h], []
        for k, layer in enumerate(self.there):
            h = layer(h, beside[k : k + 1], z, place)
            before.append(h)
        outputs += before[1:]
        inner: Outputs = []
        if self.inner is None:
            before.pop()
        else:
            h, inner = self._through_inner(h, z, rows, place)
        for k, layer in enumerate(self.back, len(self.there)):
            h = layer(h, [*beside[k : k + 1], before.pop()], z, place)
            outputs.append(h)
        return [outputs, *inner]

    @staticmethod
    def _cut(row: Tensor, place: Place | None) -> Tensor:
        return row if place is None else row[..., place.j : place.j + 1]

    def _through_inner(
        self, h: Tensor, z: Tensor, rows: Outputs | None, place: Place | None
    ) -> tuple[Tensor, Outputs]:
        """h by way of the maps of half the size, and the outputs there."""
        assert self.inner is not None
        below = rows[1:] if rows else None
        if place is None:
            inner: Outputs = self.inner(self.shrink(h), z, below)
            return self.grow(inner[0][-1], (h.shape[2], h.shape[3])), inner
        inner = []
        if place.even:
            inner = self.inner(self.shrink(h, place), z, below, place.halved())
            self.grow.put(inner[0][-1], place)
        else:
            self.shrink.see(h, place)
        return self.grow.get(place, h.shape[3]), inner
