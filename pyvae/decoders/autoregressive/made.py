"""A fully connected network with masks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pyvae.decoders.autoregressive.base import AutoregressiveDecoder, Step
from pyvae.networks import activation_layer, positions_of
from pyvae.registry import decoders

__all__ = ["MADEDecoder"]


class _MaskedLinear(nn.Linear):
    """A linear layer with some of its connections cut."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


@decoders.register("made")
class MADEDecoder(AutoregressiveDecoder):
    """Masked fully connected layers: Germain et al. 2015 (MADE), in the natural order.

    Every hidden unit has a degree, sees units of no higher degree, and is seen by outputs of higher
    positions alone (eq. 8 and 9). Without hidden layers it is the fully visible belief network of
    Frey, Hinton and Dayan 1996: each element a linear model of those before. Latents, where there
    are any, go into every layer.

    Args:
        latent_dim: the number of latents
        out_shape: the shape of the likelihood's parameters
        data_shape: the shape of one datum
        positions: for each of the parameters the position that it belongs to
        hidden: the width of each hidden layer
        activation: the name of the function after each hidden layer

    >>> made = MADEDecoder(2, (4,), (4,), positions_of((4,)), hidden=(8,))
    >>> made(torch.zeros(5, 2), torch.zeros(5, 4)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        hidden: Sequence[int] = (500,),
        activation: str = "relu",
    ) -> None:
        super().__init__(latent_dim, out_shape, data_shape, positions)
        below = positions_of(self.data_shape).flatten()
        self.last = last = int(below[-1])
        layers: list[_MaskedLinear] = []
        for width in hidden:
            degrees = torch.arange(width) % max(last, 1)  # the first position is seen by others
            layers.append(_MaskedLinear((degrees[:, None] >= below).float()))
            below = degrees
        layers.append(_MaskedLinear((self.positions.flatten()[:, None] > below).float()))
        self.layers = nn.ModuleList(layers)
        self.latents = nn.ModuleList(
            nn.Linear(latent_dim, layer.out_features, bias=False) for layer in layers if latent_dim
        )
        self.activation = activation_layer(activation)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
        h = x.flatten(-len(self.data_shape))
        for i, layer in enumerate(self.layers):
            h = layer(self.activation(h) if i else h)
            if self.latents:
                h = h + self.latents[i](z)
        params: Tensor = h.unflatten(-1, self.out_shape)
        return params

    def stepper(self, z: Tensor) -> Step:
        """Keeps the hidden units: with each position those are made that wait for it alone."""
        layers = [layer for layer in self.layers if isinstance(layer, _MaskedLinear)]
        weights = [layer.weight * layer.mask for layer in layers]
        biases = [layer.bias.expand(len(z), -1) for layer in layers]
        for k, latent in enumerate(self.latents):
            biases[k] = biases[k] + latent(z)
        kept = [torch.zeros_like(bias) for bias in biases[:-1]]
        positions = self.positions.flatten()
        order = positions.argsort(stable=True)
        own = positions.bincount().tolist()  # how many parameters each position has
        heads = weights[-1][order].split(own), biases[-1][:, order].split(own, 1)

        def step(x: Tensor, position: int) -> Tensor:
            h = x.flatten(1)
            for units, weight, bias in zip(kept, weights, biases, strict=False):
                if 0 < position <= len(weight):  # some have this degree
                    new = slice(position - 1, None, self.last)
                    units[:, new] = self.activation(torch.addmm(bias[:, new], h, weight[new].T))
                h = units
            weight, bias = (each[position] for each in heads)
            return torch.addmm(bias, h, weight.T)

        return step

    @torch.no_grad()
    def init_output(self, params: Tensor) -> None:
        self.layers[-1].bias.copy_(params.flatten())  # type: ignore[operator]
