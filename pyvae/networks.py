"""What encoders and decoders are built from. Imports nothing of the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

__all__ = ["activation_layer", "halved_sizes", "image_shape", "mlp_layers"]

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


def mlp_layers(sizes: Sequence[int], activation: str) -> list[nn.Module]:
    """Linear layers between these sizes, each followed by the activation."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation_layer(activation)]
    return layers


def image_shape(shape: Sequence[int], part: str) -> tuple[int, int, int]:
    """The shape as (channels, height, width), or an error that names the part."""
    if len(shape) != 3:
        raise ValueError(f"{part} takes images (channels, height, width), got {tuple(shape)}")
    channels, height, width = shape
    return channels, height, width


def halved_sizes(size: tuple[int, int], times: int) -> list[tuple[int, int]]:
    """An image's size, and after each of ``times`` halvings that round up."""
    sizes = [size]
    for _ in range(times):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes
