"""Fully connected decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.decoders.base import Decoder
from pyvae.networks import mlp_layers
from pyvae.registry import decoders

__all__ = ["MLPDecoder"]


@decoders.register("mlp")
class MLPDecoder(Decoder):
    """A fully connected network (Kingma & Welling 2014, appendix C); its last layer is linear.

    Args:
        latent_dim: the number of latents
        out_shape: the shape of the likelihood's parameters
        hidden: the width of each hidden layer
        activation: the name of the function after each hidden layer
        dropout: the share of values that are set to 0 after each hidden layer, while training

    Raises:
        ValueError: an unknown activation, or dropout that is no share below 1.

    >>> import torch
    >>> MLPDecoder(20, (1, 28, 28))(torch.zeros(5, 3, 20)).shape
    torch.Size([5, 3, 1, 28, 28])
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(latent_dim, out_shape)
        sizes = [latent_dim, *hidden]
        self.layers = nn.Sequential(*mlp_layers(sizes, activation, dropout))
        self.output = nn.Linear(sizes[-1], math.prod(out_shape))

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.output(self.layers(z))
        return out.reshape(*z.shape[:-1], *self.out_shape)

    def init_output(self, params: Tensor) -> None:
        with torch.no_grad():
            self.output.bias.copy_(params.flatten())
