"""A layer of Gaussian latents given the layer above."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.distributions import DiagonalGaussian
from pyvae.networks import mlp_layers

__all__ = ["VARIANCES", "GaussianLayer"]

VARIANCES = ("network", "constant")


class GaussianLayer(nn.Module):
    r"""h_l = T(h_{l+1}) + G \xi with \xi ~ N(0, I), as a distribution: p(h_l | h_{l+1}).

    Rezende, Mohamed & Wierstra 2014, eq. 3. G is diagonal, which loses nothing: T begins and ends
    with a linear map, and so does what sees h_l, and these can take up any other factor of G.

    Args:
        above: the number of latents of h_{l+1}
        size: that of h_l
        hidden: the width of each hidden layer of T
        activation: the name of the function after each
        variance: G's squares: "network" gives them for each h_{l+1}, as its mean; "constant" is one
            number for each latent, which is learned

    Raises:
        ValueError: another kind of variance.
    """

    def __init__(
        self, above: int, size: int, hidden: Sequence[int], activation: str, variance: str
    ) -> None:
        super().__init__()
        if variance not in VARIANCES:
            raise ValueError(
                f"deep_latent: variance must be one of {', '.join(VARIANCES)}, got {variance!r}"
            )
        sizes = [above, *hidden]
        self.layers = nn.Sequential(*mlp_layers(sizes, activation))
        constant = variance == "constant"
        self.output = nn.Linear(sizes[-1], size if constant else 2 * size)
        self.logvar = nn.Parameter(torch.zeros(size)) if constant else None

    def forward(self, above: Tensor) -> DiagonalGaussian:
        """p(h_l | h_{l+1}) with batch shape (*batch,), for h_{l+1} (*batch, above)."""
        out = self.output(self.layers(above))
        mean, logvar = out.chunk(2, dim=-1) if self.logvar is None else (out, self.logvar)
        return DiagonalGaussian(mean, logvar, event_ndim=1, validate_args=False)
