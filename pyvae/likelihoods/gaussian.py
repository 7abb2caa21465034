"""Real-valued data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyvae.distributions import DiagonalGaussian
from pyvae.likelihoods.base import Likelihood
from pyvae.registry import likelihoods

__all__ = ["GaussianLikelihood"]


@likelihoods.register("gaussian")
class GaussianLikelihood(Likelihood):
    """p(x|z) = N(x; m(z), v I), or with a variance for each pixel that the decoder gives too.

    Kingma & Welling 2014, appendix C.2.

    Args:
        data_shape: the shape of one datum
        variance: "fixed" (at sigma squared), "learned" (one number for all pixels, which starts at
            sigma squared) or "per_pixel" (the decoder gives means, then log-variances, along the
            first dimension of ``param_shape``)
        sigma: standard deviation, in the units of the data; default 1; not for "per_pixel"

    Raises:
        ValueError: an unknown kind of variance, or a sigma that is not positive or has no place.

    >>> GaussianLikelihood((3, 8, 8), variance="per_pixel").param_shape
    (6, 8, 8)
    """

    logvar: Tensor

    def __init__(
        self, data_shape: Sequence[int], variance: str = "fixed", sigma: float | None = None
    ) -> None:
        super().__init__(data_shape)
        if variance not in ("fixed", "learned", "per_pixel"):
            raise ValueError(
                f"gaussian likelihood: variance must be 'fixed', 'learned' or 'per_pixel', "
                f"got {variance!r}"
            )
        if sigma is not None and (variance == "per_pixel" or sigma <= 0):
            raise ValueError(
                f"gaussian likelihood: sigma must be positive, and given only for a fixed or "
                f"learned variance, got sigma={sigma} with variance={variance!r}"
            )
        self.variance = variance
        logvar = torch.tensor(2 * math.log(1.0 if sigma is None else sigma))
        if variance == "learned":
            self.logvar = nn.Parameter(logvar)
        elif variance == "fixed":
            self.register_buffer("logvar", logvar, persistent=False)

    @property
    def param_shape(self) -> tuple[int, ...]:
        first, *rest = self.data_shape
        return (2 * first if self.variance == "per_pixel" else first, *rest)

    def forward(self, params: Tensor, **side: Tensor) -> DiagonalGaussian:
        n = len(self.data_shape)
        if self.variance == "per_pixel":
            mean, logvar = params.chunk(2, dim=-n)
        else:
            mean, logvar = params, self.logvar
        return DiagonalGaussian(mean, logvar, event_ndim=n, validate_args=False)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        if self.variance == "per_pixel":
            return torch.cat([data_mean, torch.zeros_like(data_mean)])
        return data_mean
