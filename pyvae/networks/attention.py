"""Self-attention over the places of a sequence or a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Attention"]


class Attention(nn.Module):
    """Learned positions, then transformer layers that normalize first, then a normalization.

    Args:
        part: what it belongs to, for messages
        grid: the sizes of the grid of places
        width: of each place
        layers, heads: of attention
        causal: whether a place sees none of those behind it

    Raises:
        ValueError: the heads do not divide the width, or no layers.

    >>> Attention("a test", (5,), 8, layers=1, heads=2)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        part: str,
        grid: Sequence[int],
        width: int,
        layers: int,
        heads: int,
        *,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if layers < 1 or heads < 1 or width % heads:
            raise ValueError(
                f"{part}: layers must be at least 1 and heads divide the width, got {layers} "
                f"layers, {heads} heads and the width {width}"
            )
        places = math.prod(grid)
        self.positions = nn.Parameter(0.02 * torch.randn(places, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        hidden = torch.ones(places, places, dtype=torch.bool).triu(1) if causal else None
        self.register_buffer("hidden", hidden, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Places (N, L, width) after all layers."""
        h = x + self.positions
        for layer in self.layers:
            h = layer(h, src_mask=self.hidden)
        out: Tensor = self.norm(h)
        return out
