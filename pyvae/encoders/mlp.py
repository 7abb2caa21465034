"""Fully connected encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from pyvae.encoders.base import Encoder
from pyvae.networks import beside, dropout_layers, mlp_layers
from pyvae.registry import encoders

__all__ = ["MLPEncoder"]


@encoders.register("mlp")
class MLPEncoder(Encoder):
    """A fully connected network over the flattened datum (Kingma & Welling 2014, appendix C).

    Args:
        data_shape: the shape of one datum
        hidden: the width of each hidden layer; none gives the flattened datum itself
        activation: the name of the function after each layer
        condition_dim: the length of a condition, which goes in beside the datum; 0: none
        dropout: the share of values that are set to 0 after each hidden layer, while training
        input_dropout: the share of the datum (Mult-VAE, Liang et al. 2018, has 0.5)

    Raises:
        ValueError: an unknown activation, or dropout that is no share below 1.

    >>> import torch
    >>> MLPEncoder((1, 28, 28), hidden=(500,), activation="tanh")(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 500])
    """

    side_inputs = ("condition",)

    def __init__(
        self,
        data_shape: Sequence[int],
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        condition_dim: int = 0,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__(data_shape)
        self.condition_dim = condition_dim
        sizes = [math.prod(data_shape) + condition_dim, *hidden]
        self.input = nn.Sequential(*dropout_layers(input_dropout, "input_dropout"))
        self.layers = nn.Sequential(*mlp_layers(sizes, activation, dropout))
        self.out_features = sizes[-1]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        flat = self.input(x.flatten(1))
        features: Tensor = self.layers(flat if condition is None else beside(flat, condition))
        return features
