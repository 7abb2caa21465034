"""The Helmholtz machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pyvae.distributions import Bernoulli, BinaryChain
from pyvae.likelihoods import BernoulliLikelihood
from pyvae.models.base import Model
from pyvae.registry import models

__all__ = ["HelmholtzMachine", "delta_rule"]


@models.register("helmholtz")
class HelmholtzMachine(Model):
    r"""Layers of stochastic binary units with connections up (recognition) and down (generation).

    .. math::
        p(x, h) = p(h_L) \prod_{l=1}^{L} p(h_{l-1} | h_l), \qquad
        q(h | x) = \prod_{l=1}^{L} q(h_l | h_{l-1}), \qquad h_0 = x

    Every factor is a layer of Bernoulli variables whose logits are linear in the layer it is given;
    p(h_L) has a bias alone. Dayan, Hinton, Neal & Zemel 1995; Hinton, Dayan, Frey & Neal 1995. The
    latents z are the units of all hidden layers, h_1 first, so that whatever takes a posterior
    without rsample trains it: the objectives ``wake_sleep`` and ``elbo`` by reinforce.

    Args:
        data_shape: the shape of one datum, zeros and ones
        hidden: the number of units of h_1, h_2, ...

    Raises:
        ValueError: sizes that are not positive, or no hidden layer.

    >>> machine = HelmholtzMachine((1, 8, 8), hidden=(20, 10))
    >>> z = machine.encode(torch.zeros(3, 1, 8, 8)).sample()
    >>> z.shape, machine.prior().log_prob(z).shape
    (torch.Size([3, 30]), torch.Size([3]))
    >>> machine.decode(z).mean.shape
    torch.Size([3, 1, 8, 8])
    """

    likelihood: BernoulliLikelihood

    def __init__(
        self, data_shape: Sequence[int] = (1, 28, 28), hidden: Sequence[int] = (200, 200)
    ) -> None:
        super().__init__()
        self.data_shape = tuple(int(n) for n in data_shape)
        self.hidden = tuple(int(n) for n in hidden)
        if not self.data_shape or not self.hidden or min(*self.data_shape, *self.hidden) < 1:
            raise ValueError(
                f"HelmholtzMachine: data_shape and hidden must hold one or more positive sizes, "
                f"got {self.data_shape} and {self.hidden}"
            )
        self.latent_dim = sum(self.hidden)
        sizes = [math.prod(self.data_shape), *self.hidden]
        self.up = nn.ModuleList(nn.Linear(below, above) for below, above in pairwise(sizes))
        self.down = nn.ModuleList(nn.Linear(above, below) for below, above in pairwise(sizes))
        self.top = nn.Parameter(torch.zeros(self.hidden[-1]))
        self.likelihood = BernoulliLikelihood(self.data_shape)

    def encode(self, x: Tensor, **side: Tensor) -> BinaryChain:
        first, *layers = self.up
        return BinaryChain(first(x.to(self.dtype).flatten(1)), layers, self.hidden)

    def prior(self) -> BinaryChain:
        """p(h_1, ..., h_L), drawn from the top down."""
        return BinaryChain(self.top, [*self.down][:0:-1], self.hidden[::-1], reverse=True)

    def decode(self, z: Tensor, **side: Tensor) -> Bernoulli:
        logits: Tensor = self.down[0](z[..., : self.hidden[0]])
        p: Bernoulli = self.likelihood(logits.unflatten(-1, self.data_shape))
        return p

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of the connections up."""
        return list(self.up.parameters())

    @torch.no_grad()
    def init_output(self, data_mean: Tensor) -> None:
        bias = self.down[0].bias
        bias.copy_(self.likelihood.init_from_mean(data_mean).flatten())  # type: ignore[operator]

    @property
    def config(self) -> dict[str, Any]:
        return {"data_shape": list(self.data_shape), "hidden": list(self.hidden)}


@torch.no_grad()
def delta_rule(layer: nn.Linear, given: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    r"""The step that makes a layer of binary units predict its target, from what it sees alone.

    .. math:: \Delta w_{ij} = s_j (s_i - p_i), \qquad \Delta b_i = s_i - p_i, \qquad
              p = \sigma(W s + b)

    Hinton, Dayan, Frey & Neal 1995, eq. 4 and 6: the same rule for connections down, when awake,
    and up, when asleep. It is the gradient of mean log p(target | given), to be added.

    Args:
        layer: the connections
        given: s_j (B, in_features), the units that the layer sees
        target: s_i (B, out_features), the units that it predicts

    Returns:
        The changes of weight and bias, for a learning rate of 1.

    >>> layer = nn.Linear(3, 2)
    >>> weight, bias = delta_rule(layer, torch.ones(4, 3), torch.ones(4, 2))
    >>> bool((bias > 0).all()), weight.shape
    (True, torch.Size([2, 3]))
    """
    error = target - torch.sigmoid(layer(given))
    return error.T @ given / len(given), error.mean(0)
