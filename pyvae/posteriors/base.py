"""What every posterior is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Posterior"]


class Posterior(nn.Module, ABC):
    """A layer from an encoder's features to the distribution q(z|x).

    Args:
        in_features: the number of features that the encoder gives.
        latent_dim: the number of latents.
    """

    #: Where z lies: "real", "binary" (zeros and ones), "one_hot" (codes of classes).
    space: ClassVar[str] = "real"
    #: The number of classes of each one-hot code; None where z is no such code.
    classes: int | None = None
    #: The registered priors that it is made for; None: any over its latents.
    priors: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, in_features: int, latent_dim: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.latent_dim = latent_dim

    @abstractmethod
    def forward(self, features: Tensor) -> Distribution:
        """q(z|x) with batch_shape (*batch,) and event_shape (latent_dim,).

        Args:
            features: (*batch, in_features)
        """
