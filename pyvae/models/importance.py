"""Importance-sampled marginal likelihood in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pyvae.models.capacity import capacity
from pyvae.models.weights import LatentVariableModel, log_weights

__all__ = ["log_marginal"]


def log_marginal(
    model: LatentVariableModel,
    x: Tensor,
    num_samples: int,
    side: Mapping[str, Tensor],
    *,
    chunk: int | None = None,
    tick: Callable[[int], None] = lambda data: None,
) -> Tensor:
    r"""log p(x) (B,) in nats, by importance sampling from q(z|x).

    .. math:: \log p(x) \approx \log \frac1K \sum_k p(x|z_k) p(z_k) / q(z_k|x)

    A lower bound in expectation, which rises with K to the truth (Burda et al. 2016, theorem 1).
    The samples are summed up as they come, so memory does not grow with K; data of many rows are
    taken a few at a time. A model without latents gives log p(x) exactly, at its one "sample". No
    gradient.

    Args:
        model: any model with encode, decode and prior
        x: data (B, *data_shape)
        num_samples: K, samples of z for each datum
        side: side inputs of the model, (B, ...) each
        chunk: how many samples to hold at a time; default: what fits in some 100 MB
        tick: called after each of these pieces with the number of samples of all its data; what
            it raises ends the work

    Raises:
        ValueError: num_samples or chunk is less than 1.
    """
    if num_samples < 1 or (chunk is not None and chunk < 1):
        raise ValueError(
            f"log_marginal: num_samples and chunk must be at least 1, got {num_samples} and {chunk}"
        )
    if not model.latent_dim:
        num_samples = 1
    rows = capacity(model, x, side)
    parts = []
    with torch.no_grad():
        for start in range(0, max(len(x), 1), rows):
            part = slice(start, start + rows)
            few = {name: value[part] for name, value in side.items()}
            size = chunk or max(1, rows // max(1, len(x[part])))
            total: Tensor | None = None
            for done in range(0, num_samples, size):
                k = min(size, num_samples - done)
                new = log_weights(model, x[part], k, **few).logsumexp(0)
                tick(k * len(x[part]))
                total = new if total is None else torch.logaddexp(total, new)
            assert total is not None
            parts.append(total - math.log(num_samples))
    return torch.cat(parts)
