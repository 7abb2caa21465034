"""Levels 0 to 255, each a logistic variable rounded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.distributions import DiscretizedLogistic
from pyvae.likelihoods.data_range import BYTES
from pyvae.likelihoods.location_scale import LocationScaleLikelihood
from pyvae.registry import likelihoods

__all__ = ["DiscretizedLogisticLikelihood"]


@likelihoods.register("discretized_logistic")
class DiscretizedLogisticLikelihood(LocationScaleLikelihood):
    """p(x|z) of levels 0 to 255: logistic variables around the decoder's output, rounded.

    A probability, so that -log2 p(x) is a number of bits. Kingma et al. 2016, section 5; the
    encoder sees levels on the scale from -1 to 1.

    Args:
        data_shape: the shape of one datum
        scale: "learned" (one number for all pixels), "fixed", "per_variable" (one for each) or
            "per_pixel" (the decoder gives means, then log-scales, along the first dimension of
            ``param_shape``)
        log_scale: the fixed one, or where the learned one starts; default -2; not for "per_pixel"

    Raises:
        ValueError: an unknown kind of scale, or a log-scale with "per_pixel".

    >>> DiscretizedLogisticLikelihood((1, 28, 28), scale="per_pixel").param_shape
    (2, 28, 28)
    """

    data_range = BYTES
    discrete = True

    def __init__(
        self, data_shape: Sequence[int], scale: str = "learned", log_scale: float | None = None
    ) -> None:
        super().__init__(data_shape)
        start = -2.0 if log_scale is None else float(log_scale)
        given = log_scale is not None
        self._set_spread(scale, start, what="discretized_logistic", option="scale", given=given)

    def forward(self, params: Tensor, **side: Tensor) -> DiscretizedLogistic:
        mean, log_scale = self._parts(params)
        n = len(self.data_shape)
        return DiscretizedLogistic(mean, log_scale, event_ndim=n, validate_args=False)

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Levels on the scale from -1 to 1."""
        return x.to(dtype) / 127.5 - 1

    def init_from_mean(self, data_mean: Tensor) -> None:
        """None: clipping moves the mean of a location near the ends."""
