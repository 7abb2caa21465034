"""The prior of discrete latents."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import Bernoulli, OneHot
from pyvae.priors.base import Host, Prior
from pyvae.registry import priors

__all__ = ["UniformCategoricalPrior"]


@priors.register("uniform_categorical")
class UniformCategoricalPrior(Prior):
    """p(z) uniform over all codes, for ``categorical`` or ``bernoulli`` posteriors. Not learned.

    Jang et al. 2017, section 2.

    Args:
        latent_dim: the number of latents, groups times classes
        classes: of each group; default: those of the posterior, none for zeros and ones

    Raises:
        ValueError: fewer than two classes, or a number that does not divide latent_dim.

    >>> UniformCategoricalPrior(20, classes=10)().sample().sum()
    tensor(2.)
    """

    spaces = ("one_hot", "binary")
    where: Tensor  # holds the dtype and device that .to() gives

    def __init__(self, latent_dim: int, classes: int | None = None) -> None:
        super().__init__(latent_dim)
        if classes is not None and (classes < 2 or latent_dim % classes):
            raise ValueError(
                f"uniform_categorical prior: classes must be at least 2 and divide latent_dim, "
                f"got {classes} and {latent_dim}"
            )
        self.classes = classes
        self.register_buffer("where", torch.empty(0), persistent=False)

    def bind(self, model: Host) -> None:
        """Take the classes of the model's posterior."""
        of_posterior = model.posterior.classes
        if self.classes is not None and self.classes != of_posterior:
            raise ValueError(
                f"uniform_categorical prior: classes={self.classes}, but the posterior has "
                f"{of_posterior or 'no'} classes"
            )
        self.classes = of_posterior

    def forward(self) -> Distribution:
        options: dict[str, Any] = {"dtype": self.where.dtype, "device": self.where.device}
        if self.classes is None:
            logits = torch.zeros(self.latent_dim, **options)
            return Bernoulli(logits=logits, event_ndim=1, validate_args=False)
        logits = torch.zeros(self.latent_dim // self.classes, self.classes, **options)
        return OneHot(logits, validate_args=False)
