"""Real-valued data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.distributions import DiagonalGaussian
from pyvae.likelihoods.fitted_gaussian import FittedGaussian
from pyvae.likelihoods.location_scale import LocationScaleLikelihood
from pyvae.registry import likelihoods

__all__ = ["GaussianLikelihood"]


@likelihoods.register("gaussian")
class GaussianLikelihood(LocationScaleLikelihood):
    """p(x|z) = N(x; m(z), v I), or with a variance for each pixel that the decoder gives too.

    Kingma & Welling 2014, appendix C.2. A variance that all pixels share, learned or taken where it
    is best, weighs the reconstruction against the KL by itself: the sigma-VAE of Rybkin, Daniilidis
    & Levine 2021.

    Args:
        data_shape: the shape of one datum
        variance: "fixed" (at sigma squared), "learned" (one number for all pixels, which starts at
            sigma squared), "per_variable" (one for each), "optimal" (one number too: in training
            the mean square error of each batch, which is the best, and afterwards the running mean
            of those) or "per_pixel" (the decoder gives means, then log-variances, along the first
            dimension of ``param_shape``)
        sigma: standard deviation, in the units of the data; default 1; not for "per_pixel"
        mean: "linear" (the decoder's output) or "sigmoid" (of it: means of data in [0, 1], as in
            the paper)
        standardize: let the networks see each variable with mean 0 and standard deviation 1, of
            the training rows, which the model keeps; sigma is then in units of that standard
            deviation. Densities, means and samples stay those of the data as they are. Outside of
            ``pyvae train``, :meth:`init_from_statistics` takes mean and standard deviation

    Raises:
        ValueError: an unknown kind of variance or mean, or a sigma that is not positive or has no
            place.

    >>> GaussianLikelihood((3, 8, 8), variance="per_pixel").param_shape
    (6, 8, 8)
    """

    spread = "logvar"
    logvar: Tensor
    batches: Tensor

    def __init__(
        self,
        data_shape: Sequence[int],
        variance: str = "fixed",
        sigma: float | None = None,
        mean: str = "linear",
        standardize: bool = False,
    ) -> None:
        super().__init__(data_shape, standardize)
        if standardize and mean == "sigmoid":
            raise ValueError(
                "gaussian likelihood: standardize=true is for data of any scale, mean='sigmoid' "
                "for data in [0, 1]; give one of them"
            )
        if mean not in ("linear", "sigmoid"):
            raise ValueError(
                f"gaussian likelihood: mean must be 'linear' or 'sigmoid', got {mean!r}"
            )
        self.bounded = mean == "sigmoid"
        if sigma is not None and sigma <= 0:
            raise ValueError(f"gaussian likelihood: sigma must be positive, got {sigma}")
        start = 2 * math.log(1.0 if sigma is None else sigma)
        self._set_spread(
            variance,
            start,
            what="gaussian",
            option="variance",
            given=sigma is not None,
            more=("optimal",),
        )
        if variance == "optimal":
            self.register_buffer("logvar", torch.tensor([start]))
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, params: Tensor, **side: Tensor) -> DiagonalGaussian:
        mean, logvar = self._parts(params)
        if self.bounded:
            mean = mean.sigmoid()
        n = len(self.data_shape)
        if self.kind == "optimal" and self.training:
            scale = logvar - self.logvar
            return FittedGaussian(mean, self.logvar, scale, self._note, event_ndim=n)
        return DiagonalGaussian(mean, logvar, event_ndim=n, validate_args=False)

    def _note(self, logvar: Tensor) -> None:
        """Move the running mean of variances towards that of a batch, by a tenth."""
        share = torch.where(self.batches == 0, 1.0, 0.1).to(logvar.dtype)
        mean = torch.lerp(self.logvar.exp(), logvar.exp().to(self.logvar.dtype), share)
        self.logvar.copy_(mean.log())
        self.batches.add_(1)

    def init_from_mean(self, data_mean: Tensor) -> Tensor | None:
        if self.bounded:
            data_mean = torch.logit(data_mean.clamp(1e-3, 1 - 1e-3))
        return super().init_from_mean(data_mean)
