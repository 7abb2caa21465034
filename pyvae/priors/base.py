"""What every prior is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Host", "Prior"]


class Host(Protocol):
    """A model as its prior sees it: the parts that a prior may be made of.

    A posterior that is no :class:`pyvae.posteriors.Posterior` has real latents and no ``classes``.
    """

    data_shape: tuple[int, ...]
    encoder: Any
    posterior: Any
    likelihood: Any
    encoder_inputs: tuple[str, ...]


class Prior(nn.Module, ABC):
    """The distribution p(z), which may have parameters to learn.

    Args:
        latent_dim: the number of latents.
    """

    #: Where it lives: "real", "binary" (zeros and ones), "one_hot" (codes of classes).
    spaces: ClassVar[tuple[str, ...]] = ("real",)
    #: ("condition",) for p(z|c): ``__init__`` takes ``condition_dim``, ``forward`` ``condition``.
    side_inputs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    @abstractmethod
    def forward(self) -> Distribution:
        """p(z) with batch_shape () and event_shape (latent_dim,); p(z|c) has batch_shape (B,)."""

    def bind(self, model: Host) -> None:
        """Called once by the model when all its parts exist; the default does nothing.

        A prior that is made of the model's own parts takes them here. Assigned as they are they
        would be registered as parts of the prior too; held in a tuple they are not.
        """

    def init_from_data(self, x: Tensor) -> None:
        """Start from training data (N, *data_shape) as the encoder sees them; by default nothing.

        Called before training, by :meth:`pyvae.VAE.init_prior`.
        """
