"""A model's samples of q(z|x) and their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import DiagonalGaussian, rsample_log_ratio

__all__ = ["LatentVariableModel", "infer", "log_weights", "weighted_samples"]


class LatentVariableModel(Protocol):
    """p(z) p(x|z) with q(z|x): all that importance sampling needs of a model."""

    data_shape: tuple[int, ...]
    latent_dim: int

    @property
    def encoder_inputs(self) -> tuple[str, ...]: ...

    @property
    def prior_inputs(self) -> tuple[str, ...]: ...

    def encode(self, x: Tensor, **side: Tensor) -> Distribution: ...

    def decode(self, z: Tensor, **side: Tensor) -> Distribution: ...

    @property
    def prior(self) -> Callable[..., Distribution]: ...


def infer(
    model: LatentVariableModel, x: Tensor, side: Mapping[str, Tensor]
) -> tuple[Distribution, Distribution]:
    """q(z|x) and p(z), each given those of the side inputs that it takes."""
    q = model.encode(x, **{name: side[name] for name in model.encoder_inputs if name in side})
    return q, model.prior(**{name: side[name] for name in model.prior_inputs if name in side})


def log_weights(model: LatentVariableModel, x: Tensor, num_samples: int, **side: Tensor) -> Tensor:
    """log w = log p(x|z) + log p(z) - log q(z|x) (K, B), for K samples z of q(z|x) each.

    Burda et al. 2016, section 2. Differentiable where the posterior's samples are.
    """
    return weighted_samples(model, x, num_samples, side)[2]


def weighted_samples(
    model: LatentVariableModel, x: Tensor, num_samples: int, side: Mapping[str, Tensor]
) -> tuple[Tensor, Distribution, Tensor]:
    """K samples z of q(z|x) (K, B, D), p(x|z) at them, and their log w (K, B)."""
    q, p = infer(model, x, side)
    # where no gradient is wanted, samples of discrete latents are exact
    if isinstance(q, DiagonalGaussian) or (q.has_rsample and torch.is_grad_enabled()):
        z, log_ratio = rsample_log_ratio(q, p, num_samples)
    else:
        z = q.sample(torch.Size((num_samples,)))
        log_ratio = p.log_prob(z) - q.log_prob(z)
    explained = model.decode(z, **side)
    return z, explained, explained.log_prob(x) + log_ratio
