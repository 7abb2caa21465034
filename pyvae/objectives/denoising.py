"""Training on corrupted data with clean targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.objectives.wrapper import Wrapper
from pyvae.registry import objectives

__all__ = ["Denoising", "corrupted"]

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")


def corrupted(
    x: Tensor, corruption: str, level: float, low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Data x (B, ...) of a floating-point dtype with noise.

    - "gaussian": each value plus ``level`` times a standard normal one
    - "masking": each value becomes ``low``, with probability ``level``
    - "salt_and_pepper": each value becomes ``low`` or ``high``, with probability ``level / 2`` each

    Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010, section 3.

    >>> corrupted(torch.ones(2, 2), "masking", 1.0)
    tensor([[0., 0.],
            [0., 0.]])
    """
    if corruption == "gaussian":
        return x + level * torch.randn_like(x)
    uniform = torch.rand_like(x)
    noisy = x.masked_fill(uniform < level, low)
    return noisy if corruption == "masking" else noisy.masked_fill(uniform < level / 2, high)


@objectives.register("denoising")
class Denoising(Wrapper):
    r"""Another objective whose encoder sees corrupted data and whose decoder explains clean ones.

    .. math:: \tilde x \sim c(\tilde x | x), \qquad z \sim q(z | \tilde x), \qquad \log p(x | z)

    With "autoencoder" the denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008), with
    "elbo" the denoising VAE, with "iwae" its importance-weighted form (Im, Ahn, Memisevic & Bengio
    2017). The terms are those of the inner objective, in which KL and bound belong to the corrupted
    data; what is evaluated afterwards is the model on clean data.

    Args:
        corruption: "gaussian", "masking" or "salt_and_pepper", see :func:`corrupted`
        level: of the noise: a standard deviation in the units of the data, or a probability
        objective: the inner objective, by name or as an instance
        low: what masks, and pepper
        high: salt
        options: of the inner objective, where it is given by name

    Raises:
        ValueError: an unknown corruption, a negative level, or a probability above 1.
        UnknownPartError: no objective has this name.
        TypeError: the inner objective has no such option, or is one of denoising itself.

    >>> from pyvae import VAE
    >>> objective = Denoising("salt_and_pepper", 0.2, objective="elbo", num_samples=2)
    >>> sorted(objective(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms)
    ['elbo', 'kl', 'log_likelihood']
    """

    def __init__(
        self,
        corruption: Literal["gaussian", "masking", "salt_and_pepper"] = "masking",
        level: float = 0.25,
        objective: str | Objective = "autoencoder",
        low: float = 0.0,
        high: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__("denoising", objective, options)
        if corruption not in CORRUPTIONS:
            raise ValueError(
                f"denoising: corruption must be one of {', '.join(CORRUPTIONS)}, got {corruption!r}"
            )
        if level < 0 or (corruption != "gaussian" and level > 1):
            raise ValueError(
                f"denoising: the level of {corruption} must be "
                f"{'0 or more' if corruption == 'gaussian' else 'from 0 to 1'}, got {level}"
            )
        self.corruption, self.level, self.low, self.high = corruption, level, low, high

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        x = corrupted(batch.x.to(model.dtype), self.corruption, self.level, self.low, self.high)
        noisy = replace(batch, x=x, extras={**batch.extras, "target": batch.target})
        result: Result = self.inner(model, noisy, phase=phase)
        return result
