"""Which latents are in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyvae.analysis.rows import Rows, check_latents, stream
from pyvae.distributions import factor_kl
from pyvae.metrics import Moments
from pyvae.models.base import Model

__all__ = ["ACTIVE", "Usage", "usage"]

ACTIVE = 0.01  # variance of a mean above which a latent is active (Burda et al. 2016)


@dataclass(frozen=True)
class Usage:
    """The latents one by one.

    Args:
        kl: KL(q(z_d|x) || p(z_d)) in nats, mean over the data (D,)
        variance: of the posterior mean over the data (D,)
    """

    kl: Tensor
    variance: Tensor

    @property
    def active(self) -> Tensor:
        """Which latents vary with the data: bool (D,)."""
        return self.variance > ACTIVE


@torch.no_grad()
def usage(model: Model, data: Rows) -> Usage:
    """KL and variance of each latent.

    Args:
        model: one whose latents are independent under q(z|x) and p(z)
        data: x (N, *data_shape) as the likelihood sees them, a :class:`pyvae.batch.Batch`, or
            batches that come one by one

    Raises:
        ValueError: no data, no latents, or latents that depend on each other.

    >>> from pyvae import VAE
    >>> usage(VAE((1, 8, 8), latent_dim=3), torch.rand(20, 1, 8, 8)).kl.shape
    torch.Size([3])
    """
    check_latents("usage", model)
    kl, means = Moments(), Moments()
    for batch in stream(model, data):
        q, p = model.infer(batch)
        try:
            kl.add(factor_kl(q, p))
            means.add(q.mean)
        except NotImplementedError as error:
            raise ValueError(f"usage: not one latent at a time: {error}") from error
    if not kl.count:
        raise ValueError("usage: there are no data")
    return Usage(torch.as_tensor(kl.mean).cpu(), means.variance.cpu())
