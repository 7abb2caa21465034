"""Transformer that explains a sequence or an image place by place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.decoders.autoregressive.base import AutoregressiveDecoder
from pyvae.networks.attention import Attention
from pyvae.registry import decoders

__all__ = ["TransformerDecoder"]


@decoders.register("transformer")
class TransformerDecoder(AutoregressiveDecoder):
    """Layers of causal self-attention: each place sees z and the places before it.

    Vaswani et al. 2017; as a decoder of text, Bowman et al. 2016 have an LSTM. z enters at each
    place, and stands for the one before the first.

    Args:
        latent_dim: the number of latents; 0: none
        out_shape: the shape of the likelihood's parameters
        data_shape: the shape of one datum: (length,) of tokens or bits, or (channels, *grid)
        positions: for each of the parameters the position that it belongs to
        levels: how many values a token has, where the likelihood ``categorical`` gives them as
            one-hot codes (``one_hot=true``); 0: it does not
        width: of each place
        layers, heads: of attention

    Raises:
        ValueError: the heads do not divide the width, or no layers.

    >>> from pyvae.models import AutoregressiveModel
    >>> tokens = {"levels": 5, "one_hot": True}
    >>> model = AutoregressiveModel(
    ...     (7,), "transformer", "categorical", {"levels": 5}, likelihood_args=tokens
    ... )
    >>> model.sample(2, mean=False).shape
    torch.Size([2, 7])
    """

    takes_codes = True
    order: Tensor

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        levels: int = 0,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__(latent_dim, out_shape, data_shape, positions)
        channels, *grid = self.data_shape if len(self.data_shape) > 1 else (1, *self.data_shape)
        self._places = places = math.prod(grid)
        self._channels = channels * max(levels, 1)
        self.embedding = nn.Linear(self._channels, width)
        self.of_latents = nn.Linear(latent_dim, width)
        self.attention = Attention(
            "the transformer decoder", grid, width, layers, heads, causal=True
        )
        self.output = nn.Linear(width, math.prod(self.out_shape) // places)
        order = positions.flatten().argsort(stable=True).argsort()
        self.register_buffer("order", order, persistent=False)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
        batch = z.shape[:-1]
        rows = x.reshape(batch.numel(), self._channels, self._places).transpose(1, 2)
        before = torch.cat([torch.zeros_like(rows[:, :1]), rows[:, :-1]], 1)
        start = self.of_latents(z.reshape(batch.numel(), self.latent_dim)).unsqueeze(1)
        out = self.output(self.attention(self.embedding(before) + start))
        params: Tensor = out.flatten(1)[:, self.order]
        return params.reshape(*batch, *self.out_shape)

    def init_output(self, params: Tensor) -> None:
        """The bias is the same at each place: the mean over them."""
        by_place = params.flatten()[self.order.argsort()].reshape(-1, self.output.out_features)
        with torch.no_grad():
            self.output.bias.copy_(by_place.mean(0))
