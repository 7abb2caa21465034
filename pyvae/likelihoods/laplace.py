"""Real-valued data with outliers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from pyvae.distributions import Laplace
from pyvae.likelihoods.location_scale import LocationScaleLikelihood
from pyvae.registry import likelihoods

__all__ = ["LaplaceLikelihood"]


@likelihoods.register("laplace")
class LaplaceLikelihood(LocationScaleLikelihood):
    """p(x|z) = Laplace(x; m(z), b), whose loss is the absolute error over b.

    Args:
        data_shape: the shape of one datum
        scale: "fixed" (at b), "learned" (one number for all pixels, which starts at b),
            "per_variable" (one for each) or "per_pixel" (the decoder gives means, then log-scales,
            along the first dimension of ``param_shape``)
        b: the scale, in the units of the data; default 1; not for "per_pixel"
        standardize: let the networks see each variable with mean 0 and standard deviation 1, as
            with the likelihood ``gaussian``; b is then in units of that standard deviation

    Raises:
        ValueError: an unknown kind of scale, or a b that is not positive or has no place.

    >>> import torch
    >>> LaplaceLikelihood((3,), b=2.0)(torch.zeros(5, 3)).stddev[0]
    tensor([2.8284, 2.8284, 2.8284])
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        scale: str = "fixed",
        b: float | None = None,
        standardize: bool = False,
    ) -> None:
        super().__init__(data_shape, standardize)
        if b is not None and b <= 0:
            raise ValueError(f"laplace likelihood: b must be positive, got {b}")
        start = math.log(1.0 if b is None else b)
        self._set_spread(scale, start, what="laplace", option="scale", given=b is not None)

    def forward(self, params: Tensor, **side: Tensor) -> Laplace:
        mean, log_scale = self._parts(params)
        n = len(self.data_shape)
        return Laplace(mean=mean, log_scale=log_scale, event_ndim=n, validate_args=False)
