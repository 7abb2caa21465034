"""What decoders share that explain a datum element by element."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from torch import Tensor

from pyvae.decoders.base import Decoder

__all__ = ["AutoregressiveDecoder", "Step"]

#: x as the network sees it (N, *data_shape), complete before a position, and that position -> the
#: likelihood's parameters there (N, parameters of the position).
Step = Callable[[Tensor, int], Tensor]


class AutoregressiveDecoder(Decoder, ABC):
    r"""A network that gives the parameters of each position from z and all positions before it.

    .. math:: p(x|z) = \prod_i p(x_i | x_1, ..., x_{i-1}, z)

    The positions are the pixels of an image, row by row, or the variables of a vector. Without
    latents (``latent_dim=0``) it is a density model of its own: see
    :class:`pyvae.models.AutoregressiveModel`.

    Args:
        latent_dim: the number of latents; 0: none
        out_shape: the shape of the likelihood's parameters
        data_shape: the shape of one datum
        positions: for each of the parameters the position that it belongs to (*out_shape)
    """

    #: Whether it takes data as codes of several numbers for each element.
    takes_codes: ClassVar[bool] = False
    positions: Tensor

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
    ) -> None:
        super().__init__(latent_dim, out_shape)
        self.data_shape = tuple(data_shape)
        self.register_buffer("positions", positions, persistent=False)

    @abstractmethod
    def forward(self, z: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
        """Parameters (*batch, *out_shape) for z (*batch, latent_dim) and x (*batch, *data_shape).

        Args:
            z: latents
            x: data as networks see them; those of a position and after it have no part in its
                parameters
        """

    def stepper(self, z: Tensor) -> Step:
        """What draws position after position, for z (N, latent_dim).

        It is called for each position in turn. This one runs the whole network each time; a
        network that can keep what it has worked out overrides it.
        """
        flat = self.positions.flatten()

        def step(x: Tensor, position: int) -> Tensor:
            params: Tensor = self(z, x)
            return params.flatten(1)[:, flat == position]

        return step
