"""The negative ELBO."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import compute
from .bernoulli import bernoulli_log_prob
from .gaussian import gaussian_kl_standard, gaussian_log_prob


def _elbo_loss(log_prob: Tensor, kl: Tensor, beta: Tensor | None, reduction: int) -> Tensor:
    loss = (kl if beta is None else beta.to(kl.dtype) * kl) - log_prob
    return (loss, loss.mean(), loss.sum())[reduction] if reduction else loss


def bernoulli_elbo_loss(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, beta: Tensor | None, reduction: int
) -> Tensor:
    """beta KL - log p(x|z); reduction 0 none, 1 mean, 2 sum over the batch."""
    kl = gaussian_kl_standard(mean, logvar)
    return _elbo_loss(bernoulli_log_prob(x, logits), kl, beta, reduction)


def gaussian_elbo_loss(
    x: Tensor,
    decoded_mean: Tensor,
    decoded_logvar: Tensor,
    mean: Tensor,
    logvar: Tensor,
    beta: Tensor | None,
    reduction: int,
) -> Tensor:
    """The same with a Gaussian likelihood."""
    kl = gaussian_kl_standard(mean, logvar)
    return _elbo_loss(gaussian_log_prob(x, decoded_mean, decoded_logvar), kl, beta, reduction)


def negative_elbo(
    log_prob: Tensor, kl: Tensor, beta: Tensor | None = None, weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """beta KL - log p(x|z) of the means, and (ELBO, log-likelihood, KL); no beta: the weight."""
    log_likelihood, kl = (t.mean() for t in compute(log_prob, kl))
    loss = (weight if beta is None else beta.to(kl.dtype)) * kl - log_likelihood
    return loss, torch.stack([log_likelihood - kl, log_likelihood, kl])
