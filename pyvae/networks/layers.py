"""Layers, sizes of grids, positions and weights of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "CONV",
    "CONV_TRANSPOSE",
    "INITS",
    "activation_layer",
    "beside",
    "check_latent_shape",
    "dropout_layers",
    "grid_shape",
    "halved_sizes",
    "image_shape",
    "init_weights",
    "mlp_layers",
    "positions_of",
]

#: Layers by the number of dimensions of a grid.
CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE: dict[int, Any] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
INITS = ("torch", "glorot", "normal")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def activation_layer(name: str) -> nn.Module:
    """The elementwise function of this name, as a layer."""
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}. Choices: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def dropout_layers(share: float, name: str = "dropout") -> list[nn.Module]:
    """The layer that sets this share of values to 0 while training; none for a share of 0."""
    if not 0 <= share < 1:
        raise ValueError(f"{name} is a share of at least 0 and below 1, got {share}")
    return [nn.Dropout(share)] if share else []


def mlp_layers(sizes: Sequence[int], activation: str, dropout: float = 0.0) -> list[nn.Module]:
    """Linear layers between these sizes, each followed by the activation and dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation_layer(activation)]
        layers += dropout_layers(dropout)
    return layers


def image_shape(shape: Sequence[int], part: str) -> tuple[int, int, int]:
    """The shape as (channels, height, width), or an error that names the part."""
    if len(shape) != 3:
        raise ValueError(f"{part} takes images (channels, height, width), got {tuple(shape)}")
    channels, height, width = shape
    return channels, height, width


def grid_shape(shape: Sequence[int], part: str) -> tuple[int, ...]:
    """The shape of a signal, an image or a volume, or an error that names the part."""
    if len(shape) - 1 not in CONV:
        raise ValueError(
            f"{part} takes signals (channels, length), images (channels, height, width) or volumes "
            f"(channels, depth, height, width), got {tuple(shape)}"
        )
    return tuple(shape)


def halved_sizes(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """The sizes of a grid, and after each of ``times`` halvings that round up."""
    sizes = [tuple(size)]
    for _ in range(times):
        sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
    return sizes


def check_latent_shape(
    latent_shape: Sequence[int] | None, grid: Sequence[int], part: str
) -> tuple[int, ...] | None:
    """A shape of spatial latents as a tuple, or an error where their grid is another one."""
    if latent_shape is None:
        return None
    if len(latent_shape) < 2 or tuple(latent_shape[1:]) != tuple(grid):
        raise ValueError(
            f"the resnet {part} leaves a grid of {' x '.join(map(str, grid))}, as it halves the "
            f"data once for each entry in channels; latent_shape must be (channels, "
            f"{', '.join(map(str, grid))}), got {tuple(latent_shape)}"
        )
    return tuple(latent_shape)


def positions_of(data_shape: Sequence[int]) -> torch.Tensor:
    """The position of each element of a datum, in the order in which a datum is explained.

    Pixels count row by row, with all their channels; variables of a vector one by one.

    >>> positions_of((2, 2, 2)).tolist()
    [[[0, 1], [2, 3]], [[0, 1], [2, 3]]]
    >>> positions_of((3,)).tolist()
    [0, 1, 2]
    """
    shape = torch.Size(data_shape)
    inner = shape[1:] if len(shape) > 1 else shape
    return torch.arange(inner.numel()).reshape(inner).expand(shape)


def beside(z: Tensor, condition: Tensor) -> Tensor:
    """Latents (*batch, D) with the condition (B, C) of each behind them: (*batch, D + C)."""
    return torch.cat([z, condition.to(z.dtype).expand(*z.shape[:-1], condition.shape[-1])], -1)


@torch.no_grad()
def init_weights(network: nn.Module, init: str, std: float = 0.1) -> None:
    """Draw the weights of all linear and convolutional layers anew, as a paper has them.

    - "torch": nothing is drawn; the layers stay as torch made them
    - "glorot": weights uniform within sqrt(6 / (inputs + outputs)), biases 0 (Glorot & Bengio 2010)
    - "normal": weights and biases normal, with mean 0 and standard deviation ``std``

    Args:
        network: any module, a whole model too
        init: one of these
        std: of "normal"

    Raises:
        ValueError: an unknown name, or a standard deviation that is not positive.

    >>> layer = nn.Linear(400, 300)
    >>> init_weights(layer, "normal", std=0.5)
    >>> round(layer.weight.std().item(), 1), bool((layer.bias != 0).all())
    (0.5, True)
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
    if not std > 0:
        raise ValueError(f"init: the standard deviation must be positive, got {std}")
    if init == "torch":
        return
    for layer in network.modules():
        if not isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd)):
            continue
        weight = layer.weight  # of a normalized layer it is made anew each time
        if init == "glorot":
            nn.init.xavier_uniform_(weight)
        else:
            nn.init.normal_(weight, std=std)
        layer.weight = weight
        if layer.bias is not None:
            nn.init.normal_(layer.bias, std=std) if init == "normal" else nn.init.zeros_(layer.bias)
