"""The negative ELBO."""

from __future__ import annotations

from torch import Tensor

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
