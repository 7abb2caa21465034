"""The loss that objectives with a KL share, and what is recorded of it."""

from __future__ import annotations

from torch import Tensor

from pyvae.functional import negative_elbo

__all__ = ["negative_elbo_terms"]


def negative_elbo_terms(
    log_likelihood: Tensor, kl: Tensor, beta: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean of beta KL - log p(x|z), and ELBO, log-likelihood and KL for the records."""
    loss, means = negative_elbo(log_likelihood, kl, beta)
    return loss, dict(zip(("elbo", "log_likelihood", "kl"), means.detach().unbind(), strict=True))
