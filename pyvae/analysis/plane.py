"""The plane of two latents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyvae.analysis.codes import decode
from pyvae.models.base import Model

__all__ = ["manifold", "manifold_latents"]


def manifold_latents(size: int) -> Tensor:
    """Latents (size^2, 2) on the grid of inverse Gaussian CDF quantiles, row by row.

    Quantiles (i + 1/2) / size, so that each point stands for an equal share of the prior N(0, I):
    Kingma & Welling 2014, appendix A. The first latent grows to the right, the second upwards.
    """
    quantiles = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    values = torch.special.ndtri(quantiles).float()
    down, across = torch.meshgrid(values.flip(0), values, indexing="ij")
    return torch.stack([across, down], dim=-1).view(-1, 2)


def manifold(model: Model, size: int = 20, *, side: Mapping[str, Tensor] | None = None) -> Tensor:
    """The decoder's means over the plane of two latents: (size^2, *data_shape), on the CPU.

    Args:
        model: one of two latents
        size: points along each side of the grid, see :func:`manifold_latents`
        side: side inputs that the model takes, of one datum: (1, ...) each

    Raises:
        ValueError: the model has another number of latents.
    """
    if model.latent_dim != 2:
        raise ValueError(f"manifold: the model must have 2 latents, got {model.latent_dim}")
    return decode(model, manifold_latents(size), side)
