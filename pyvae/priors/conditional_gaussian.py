"""A Gaussian prior that a condition moves."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pyvae.distributions import DiagonalGaussian
from pyvae.networks import mlp_layers
from pyvae.priors.base import Prior
from pyvae.registry import priors

__all__ = ["ConditionalGaussianPrior"]


@priors.register("conditional_gaussian")
class ConditionalGaussianPrior(Prior):
    """p(z|c) = N(m(c), diag(exp(l(c)))), m and l from a network that starts at N(0, I).

    The conditional prior of Sohn, Lee & Yan 2015, section 4.1.

    Args:
        latent_dim: the number of latents
        condition_dim: the length of the condition c
        hidden: the width of each hidden layer
        activation: the name of the function after each of them

    >>> import torch
    >>> ConditionalGaussianPrior(20, condition_dim=10)(torch.zeros(3, 10)).batch_shape
    torch.Size([3])
    """

    side_inputs = ("condition",)

    def __init__(
        self,
        latent_dim: int,
        condition_dim: int,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
    ) -> None:
        super().__init__(latent_dim)
        self.condition_dim = condition_dim
        sizes = [condition_dim, *hidden]
        self.layers = nn.Sequential(*mlp_layers(sizes, activation))
        self.output = nn.Linear(sizes[-1], 2 * latent_dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, condition: Tensor | None = None) -> DiagonalGaussian:
        if condition is None:
            raise ValueError(
                f"conditional_gaussian is p(z|c) and needs the condition (B, {self.condition_dim})"
            )
        out = self.output(self.layers(condition.to(self.output.weight.dtype)))
        mean, logvar = out.chunk(2, -1)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
