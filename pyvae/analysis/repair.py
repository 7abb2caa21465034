"""What a model makes of data of which something is missing, or that are damaged."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pyvae.analysis.rows import Rows, check_latents, given, stream
from pyvae.batch import Batch
from pyvae.models.base import Model, mean_or_sample

__all__ = ["bicubic", "inpaint", "restore", "root_mean_square"]


@torch.no_grad()
def inpaint(
    model: Model, data: Rows, missing: Tensor, steps: int = 50, *, chains: int = 10
) -> Tensor:
    r"""Fill in what is missing by Markov chains between q(z|x) and p(x|z).

    .. math:: z \sim q(z | x_{obs}, x_{mis}), \qquad x_{mis} \sim p(x_{mis} | z)

    Rezende et al. 2014, appendix F: no gradients; where q is near the posterior a chain ends
    near p(x_mis | x_obs). It starts at a draw from the model, and may stay with one of several
    ways to complete a datum: the mean over chains weighs them.

    Args:
        model: any model with latents
        data: x (N, *data_shape), as the likelihood sees them, a Batch or several that come one by
            one; what they hold where data are missing is not looked at
        missing: bool (N, *data_shape), True where
        steps: of a chain, whose result is the mean of p(x_mis | z) over its second half
        chains: how many for each datum; what is filled in is the mean of their results

    Returns:
        x (N, *data_shape), on the CPU: the data where they were observed, the means elsewhere,
        also where a side input "mask" says that they were not.

    Raises:
        ValueError: fewer than one step or chain, another shape of missing, or no latents.

    >>> from pyvae import VAE
    >>> x, missing = torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    >>> missing[:, :, 2:] = True
    >>> filled = inpaint(VAE((1, 4, 4), latent_dim=2), x, missing, steps=4)
    >>> bool((filled[:, :, :2] == 1).all()), bool((filled[:, :, 2:] < 1).all())
    (True, True)
    """
    check_latents("inpaint", model)
    if min(steps, chains) < 1 or tuple(missing.shape[1:]) != tuple(model.data_shape):
        raise ValueError(
            f"inpaint: steps and chains must be positive and missing have shape (N, "
            f"{', '.join(map(str, model.data_shape))}), got {steps}, {chains} and "
            f"{tuple(missing.shape)}"
        )
    parts, start = [], 0
    for batch in stream(model, data):
        holes = missing[start : start + len(batch)].to(batch.x.device)
        if len(holes) != len(batch):
            raise ValueError(f"inpaint: missing has {len(missing)} rows, fewer than the data")
        start += len(batch)
        if "mask" in batch.extras:
            holes = holes | ~batch.extras["mask"]
        x = batch.x.to(model.dtype)
        total = torch.zeros_like(x)
        for _ in range(chains):
            total += _chain(model, x, holes, steps, given(model, batch))
        parts.append(torch.where(holes, total / chains, x).cpu())
    return torch.cat(parts)


def _chain(model: Model, x: Tensor, holes: Tensor, steps: int, side: dict[str, Tensor]) -> Tensor:
    """The mean of p(x|z) over the second half of a chain (B, *data_shape)."""
    p = model.decode(model.sample_prior(len(x), side), **side)
    total, kept = torch.zeros_like(x), steps - steps // 2
    for step in range(steps):
        filled = torch.where(holes, p.sample().to(x.dtype), x)
        p = model.decode(model.infer(Batch(filled, None, side))[0].sample(), **side)
        if step >= steps - kept:
            total += mean_or_sample(p)
    return total / kept


@torch.no_grad()
def restore(model: Model, data: Rows) -> Tensor:
    """Damaged data through the means of q(z|x) and p(x|z): what a denoising model is trained for.

    Args:
        model: any model with latents
        data: x (N, *data_shape) with noise, or enlarged from fewer pixels

    Returns:
        x (N, *data_shape), on the CPU.

    Raises:
        ValueError: the model has no latents.
    """
    check_latents("restore", model)
    parts = []
    for batch in stream(model, data):
        z = mean_or_sample(model.infer(batch)[0])
        parts.append(mean_or_sample(model.decode(z, **given(model, batch))).cpu())
    return torch.cat(parts)


def bicubic(x: Tensor, factor: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1] made ``factor`` times smaller by area, and enlarged again."""
    height, width = x.shape[-2:]
    small = F.adaptive_avg_pool2d(x, (math.ceil(height / factor), math.ceil(width / factor)))
    return F.interpolate(small, size=(height, width), mode="bicubic", align_corners=False).clamp(
        0, 1
    )


def root_mean_square(x: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """The root of the mean squared difference, of the elements where ``where`` is True."""
    squares = (x.double() - truth.double()).square()
    return float((squares if where is None else squares[where]).mean().sqrt())
