"""Training on corrupted data with clean targets."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.objectives.wrapper import Wrapper
from pyvae.registry import objectives

__all__ = ["CORRUPTIONS", "Denoising", "check_level", "corrupted"]

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper", "downsample")


def corrupted(
    x: Tensor, corruption: str, level: float, low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Data x (B, ...) of a floating-point dtype with noise.

    - "gaussian": each value plus ``level`` times a standard normal one
    - "masking": each value becomes ``low``, with probability ``level``
    - "salt_and_pepper": each value becomes ``low`` or ``high``, with probability ``level / 2`` each
    - "downsample": each ``level`` x ``level`` pixels of an image become their mean

    Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010, section 3.

    >>> corrupted(torch.ones(2, 2), "masking", 1.0)
    tensor([[0., 0.],
            [0., 0.]])
    """
    if corruption == "gaussian":
        return x + level * torch.randn_like(x)
    if corruption == "downsample":
        return _downsampled(x, round(level))
    uniform = torch.rand_like(x)
    noisy = x.masked_fill(uniform < level, low)
    return noisy if corruption == "masking" else noisy.masked_fill(uniform < level / 2, high)


def check_level(corruption: str, level: float) -> None:
    """Raises: ValueError: an unknown corruption, or a level that it cannot have."""
    if corruption not in CORRUPTIONS:
        raise ValueError(
            f"denoising: corruption must be one of {', '.join(CORRUPTIONS)}, got {corruption!r}"
        )
    if corruption == "downsample":
        allowed, words = level >= 2 and level == round(level), "a whole number of 2 or more"
    elif corruption == "gaussian":
        allowed, words = level >= 0, "0 or more"
    else:
        allowed, words = 0 <= level <= 1, "from 0 to 1"
    if not allowed:
        raise ValueError(f"denoising: the level of {corruption} must be {words}, got {level}")


def _downsampled(x: Tensor, factor: int) -> Tensor:
    """Means over ``factor`` places along each side of signals, images or volumes (B, C, ...)."""
    pools: dict[int, Any] = {
        3: F.adaptive_avg_pool1d,
        4: F.adaptive_avg_pool2d,
        5: F.adaptive_avg_pool3d,
    }
    if x.ndim not in pools:
        raise ValueError(
            f"denoising: downsample is for signals, images and volumes (B, C, ...), got data of "
            f"shape {tuple(x.shape)}"
        )
    size = x.shape[2:]
    if factor > min(size):
        raise ValueError(
            f"denoising: the level of downsample must be at most {min(size)}, the shortest side of "
            f"data of shape {tuple(x.shape[1:])}, got {factor}"
        )
    small = pools[x.ndim](x, [math.ceil(n / factor) for n in size])
    return F.interpolate(small, size=size, mode="nearest")


@objectives.register("denoising")
class Denoising(Wrapper):
    r"""Another objective whose encoder sees corrupted data and whose decoder explains clean ones.

    .. math:: \tilde x \sim c(\tilde x | x), \qquad z \sim q(z | \tilde x), \qquad \log p(x | z)

    With "autoencoder" the denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008), with
    "elbo" the denoising VAE, with "iwae" its importance-weighted form (Im, Ahn, Memisevic & Bengio
    2017). The terms are those of the inner objective, in which KL and bound belong to the corrupted
    data; what is evaluated afterwards is the model on clean data. With "downsample" the model
    learns super-resolution: a picture of all its pixels from one of fewer.

    Args:
        corruption: "gaussian", "masking", "salt_and_pepper" or "downsample": see :func:`corrupted`
        level: of the noise: a standard deviation in the units of the data, or a probability; of
            "downsample" the factor, a whole number of 2 or more
        objective: the inner objective, by name or as an instance
        low: what masks, and pepper
        high: salt
        options: of the inner objective, where it is given by name

    Raises:
        ValueError: an unknown corruption, a negative level, a probability above 1, or a factor
            that is not a whole number of 2 or more.
        UnknownPartError: no objective has this name.
        TypeError: the inner objective has no such option, or is one of denoising itself.

    >>> from pyvae import VAE
    >>> objective = Denoising("salt_and_pepper", 0.2, objective="elbo", num_samples=2)
    >>> sorted(objective(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms)
    ['elbo', 'kl', 'log_likelihood']
    """

    def __init__(
        self,
        corruption: Literal["gaussian", "masking", "salt_and_pepper", "downsample"] = "masking",
        level: float = 0.25,
        objective: str | Objective = "autoencoder",
        low: float = 0.0,
        high: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__("denoising", objective, options)
        check_level(corruption, level)
        self.corruption, self.level, self.low, self.high = corruption, level, low, high

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        x = corrupted(batch.x.to(model.dtype), self.corruption, self.level, self.low, self.high)
        noisy = replace(batch, x=x, extras={**batch.extras, "target": batch.target})
        result: Result = self.inner(model, noisy, phase=phase)
        return result
