"""What every decoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["Decoder"]


class Decoder(nn.Module, ABC):
    """A network from latents to what parametrises the likelihood p(x|z).

    Args:
        latent_dim: the number of latents, and of a condition behind them in z.
        out_shape: the shape of the likelihood's parameters for one datum (its ``param_shape``).
    """

    def __init__(self, latent_dim: int, out_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.out_shape = tuple(out_shape)

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """Parameters (*batch, *out_shape) for z (*batch, latent_dim), with any batch dimensions."""

    def init_output(self, params: Tensor) -> None:
        """Start the output's bias at ``params`` (*out_shape), as far as the network can hold it.

        The default does nothing. See :meth:`pyvae.likelihoods.Likelihood.init_from_mean`.
        """
