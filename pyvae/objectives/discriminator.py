"""A network that tells samples of two distributions apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pyvae.models.base import Model
from pyvae.networks import mlp_layers

__all__ = ["Discriminator"]


class Discriminator(nn.Module):
    r"""An estimate of log p(z) / q(z) for two distributions that are known by samples.

    Trained to tell z ~ p from z ~ q by the cross-entropy, the logit of a network tends to the log
    of the ratio of their densities (Goodfellow et al. 2014; Sugiyama et al. 2012).

    Args:
        model: the model whose latents it looks at; it goes to the same device and dtype
        hidden: the width of each hidden layer
        activation: the name of the function after each hidden layer
    """

    def __init__(self, model: Model, hidden: Sequence[int], activation: str) -> None:
        super().__init__()
        sizes = [model.latent_dim, *hidden]
        self.layers = nn.Sequential(*mlp_layers(sizes, activation), nn.Linear(sizes[-1], 1))
        self.to(next(model.parameters()).device, model.dtype)

    def forward(self, z: Tensor) -> Tensor:
        """The logit (B,) of z (B, D) being of p."""
        logit: Tensor = self.layers(z)
        return logit.squeeze(-1)

    def loss(self, of_p: Tensor, of_q: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy in nats, mean over all samples, and the part that is told right."""
        p, q = self(of_p), self(of_q)
        loss = (softplus(-p).mean() + softplus(q).mean()) / 2
        right = torch.cat([p > 0, q < 0]).to(loss.dtype).mean()
        return loss, right
