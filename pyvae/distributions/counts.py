"""Counts drawn at any rate: what torch draws, and its limits where torch has none."""

from __future__ import annotations

import torch
from torch import Tensor

from pyvae.distributions.base import precise
from pyvae.distributions.reparameterize.base import uniform_noise

__all__ = ["multinomial_counts", "negative_binomial_counts", "poisson_counts"]

DRAWS = 2**22  # held at a time
LARGE = 2.0**30  # torch counts in integers, of 32 bits on some devices


def poisson_counts(rate: Tensor) -> Tensor:
    """Poisson counts, from a rate of 2^30 on as rounded Gaussians (the skewness is 3e-5 there)."""
    counts = torch.poisson(rate.clamp(max=LARGE))
    large = rate > LARGE
    spread = torch.where(rate.isinf(), 0.0, rate.sqrt()) * torch.randn_like(rate)
    return torch.where(large, (rate + spread).round(), counts)


def negative_binomial_counts(mean: Tensor, inverse_dispersion: Tensor, shape: torch.Size) -> Tensor:
    """Poisson counts whose rates are gamma variables of shape t and mean m, in float32 at least.

    A gamma variable of shape t is one of shape t + 1 times U^(1 / t), and that is drawn: for small
    t it is a number, most often 0, where 1 / t is none.
    """
    mean = precise(mean).expand(shape)
    limits = torch.finfo(mean.dtype)
    t = inverse_dispersion.to(mean.dtype).expand(shape).clamp(limits.tiny, limits.max)
    log_share = uniform_noise(shape, mean).log() / t - t.clamp(max=1).log()
    gamma = torch._standard_gamma(t + 1) / t.clamp(min=1) * log_share.exp()  # over t
    return poisson_counts(torch.where(mean == 0, 0.0, gamma * mean))


def multinomial_counts(probs: Tensor, totals: Tensor) -> Tensor:
    """How often each class came, of as many draws for each row: (rows, classes).

    Args:
        probs: (rows, classes), in float32 at least
        totals: draws of each row (rows,), rounded where they are no whole numbers
    """
    counts = torch.zeros_like(probs)
    totals = totals.round()
    most = int(totals.max()) if totals.numel() else 0
    piece = max(1, DRAWS // max(1, len(probs)))
    for done in range(0, most if probs.shape[-1] else 0, piece):
        drawn = torch.multinomial(probs, min(piece, most - done), replacement=True)
        number = torch.arange(done, done + drawn.shape[-1], device=probs.device)
        counts.scatter_add_(-1, drawn, (number < totals[:, None]).to(counts.dtype))
    return counts
