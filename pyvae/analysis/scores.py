"""log p(x) of single data, with what is not known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pyvae.analysis.rows import Rows, stream
from pyvae.batch import Batch
from pyvae.models.base import Model
from pyvae.models.capacity import capacity
from pyvae.models.weights import log_weights

__all__ = ["Scores", "score"]


@dataclass(frozen=True)
class Scores:
    """Estimates for N data, in nats.

    Args:
        log_likelihood: log p(x), (N,)
        error: its standard error over the draws of z, (N,): infinite where a single draw was taken,
            0 where log p(x) is exact
    """

    log_likelihood: Tensor
    error: Tensor


@torch.no_grad()
def score(model: Model, data: Rows, num_samples: int = 100) -> Scores:
    r"""log p(x) of each datum by importance sampling from q(z|x), with its standard error.

    .. math:: \hat p = \frac1K \sum_k w_k, \quad w_k = p(x|z_k) p(z_k) / q(z_k|x), \qquad
        \mathrm{se}(\log \hat p) \approx \frac{1}{\hat p}
        \sqrt{\frac{1}{K (K - 1)} \sum_k (w_k - \hat p)^2}

    the error of the logarithm to first order. The estimate is biased downwards by about half the
    square of its error; an error near 1 says that single draws dominate the sum, and that more
    are needed (Burda et al. 2016; Owen 2013, chapter 9). A model without latents gives log p(x)
    exactly.

    Args:
        model: any model
        data: x (N, *data_shape) as the likelihood sees them, a :class:`pyvae.batch.Batch`, or
            batches that come one by one
        num_samples: K, draws of z for each datum

    Raises:
        ValueError: fewer than one draw, or no data.

    >>> from pyvae import VAE
    >>> found = score(VAE((1, 8, 8), latent_dim=2), torch.zeros(5, 1, 8, 8), num_samples=20)
    >>> found.log_likelihood.shape, bool((found.error > 0).all())
    (torch.Size([5]), True)
    """
    if num_samples < 1:
        raise ValueError(f"score: num_samples must be at least 1, got {num_samples}")
    parts = [_score(model, batch, num_samples) for batch in stream(model, data)]
    if not parts:
        raise ValueError("score: there are no data")
    return Scores(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))


def _score(model: Model, batch: Batch, num_samples: int) -> tuple[Tensor, Tensor]:
    if not model.latent_dim:  # one weight, which is p(x)
        exact = _log_weights(model, batch, 1)[0]
        return exact, torch.zeros_like(exact)
    held = capacity(model, batch.x, batch.side(model.side_inputs))
    size = max(1, held // max(1, len(batch)))
    once = torch.full((len(batch),), -math.inf, dtype=torch.float64, device=batch.x.device)
    twice = once.clone()  # log of the sums of w and of w^2
    for done in range(0, num_samples, size):
        log_w = _log_weights(model, batch, min(size, num_samples - done))
        once = torch.logaddexp(once, log_w.logsumexp(0))
        twice = torch.logaddexp(twice, (2 * log_w).logsumexp(0))
    if num_samples == 1:
        error = torch.full_like(once, math.inf)
    else:
        spread = num_samples * (twice - 2 * once).exp() - 1  # (K - 1) / K times var(w) / mean^2
        error = (spread.clamp(min=0) / (num_samples - 1)).sqrt()
        error = error.where(once > -math.inf, torch.full_like(error, math.inf))
    return once - math.log(num_samples), error


def _log_weights(model: Model, batch: Batch, k: int) -> Tensor:
    side = batch.side(model.side_inputs)
    return log_weights(model, batch.x, k, **side).double()
