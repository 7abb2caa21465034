"""Residual blocks on grids of one to three dimensions."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae.networks.layers import CONV

__all__ = ["ResidualBlock", "group_norm"]


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalization of groups of 16 channels, or of as many as divide them (Wu & He 2018)."""
    groups = max(1, channels // 16)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class ResidualBlock(nn.Module):
    """x + f(x), f being two convolutions, each after a normalization and a SiLU.

    He, Zhang, Ren & Sun 2016 ("Identity mappings in deep residual networks").

    Args:
        dims: the dimensions of the grid
        channels: of x

    >>> import torch
    >>> ResidualBlock(2, 32)(torch.randn(2, 32, 5, 7)).shape
    torch.Size([2, 32, 5, 7])
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            group_norm(channels),
            nn.SiLU(),
            CONV[dims](channels, channels, 3, padding=1),
            group_norm(channels),
            nn.SiLU(),
            CONV[dims](channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out
