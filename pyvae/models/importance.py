"""Importance-sampled marginal likelihood in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import DiagonalGaussian, rsample_log_ratio

__all__ = ["LatentVariableModel", "infer", "log_marginal", "log_weights", "weighted_samples"]

BUDGET = 2**23  # elements of data that are decoded at a time


class LatentVariableModel(Protocol):
    """p(z) p(x|z) with q(z|x): all that importance sampling needs of a model."""

    data_shape: tuple[int, ...]

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


def log_marginal(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int,
    side: Mapping[str, Tensor],
    *,
    chunk: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Tensor:
    r"""log p(x) (B,) in nats, by importance sampling from q(z|x).

    .. math:: \log p(x) \approx \log \frac1K \sum_k p(x|z_k) p(z_k) / q(z_k|x)

    A lower bound in expectation, which rises with K to the truth (Burda et al. 2016, theorem 1).
    The samples are summed up as they come, so memory does not grow with K; data of many rows are
    taken a few at a time. No gradient.

    Args:
        model: any model with encode, decode and prior
        x: data (B, *data_shape)
        num_samples: K, samples of z for each datum
        side: side inputs of the model, (B, ...) each
        chunk: how many samples to hold at a time; default: what fits in some 100 MB
        tick: called before each of these pieces; what it raises ends the work

    Raises:
        ValueError: num_samples or chunk is less than 1.
    """
    if num_samples < 1 or (chunk is not None and chunk < 1):
        raise ValueError(
            f"log_marginal: num_samples and chunk must be at least 1, got {num_samples} and {chunk}"
        )
    rows = max(1, BUDGET // max(1, math.prod(model.data_shape)))
    parts = []
    with torch.no_grad():
        for start in range(0, max(len(x), 1), rows):
            part = slice(start, start + rows)
            few = {name: value[part] for name, value in side.items()}
            size = chunk or max(1, rows // max(1, len(x[part])))
            total: Tensor | None = None
            for done in range(0, num_samples, size):
                tick()
                k = min(size, num_samples - done)
                new = log_weights(model, x[part], k, **few).logsumexp(0)
                total = new if total is None else torch.logaddexp(total, new)
            assert total is not None
            parts.append(total - math.log(num_samples))
    return torch.cat(parts)
