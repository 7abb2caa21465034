"""Grey or colour images of levels 0 to 255."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyvae.distributions import DiscretizedLogisticMixture
from pyvae.functional.logistic_mixture import PLANES
from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.data_range import BYTES
from pyvae.registry import likelihoods

__all__ = ["DiscretizedLogisticMixtureLikelihood"]


@likelihoods.register("discretized_logistic_mixture")
class DiscretizedLogisticMixtureLikelihood(Likelihood):
    """p(x|z) of grey or colour images: each pixel a mixture of discretized logistics.

    Salimans et al. 2017, sections 2.1 and 2.2. The decoder gives 3 planes for each component of a
    grey pixel, 10 of a colour one; the encoder sees levels on the scale from -1 to 1.

    Args:
        data_shape: (1, height, width) for grey images, (3, height, width) for colour
        num_mixtures: components of each pixel
        channels: 1 or 3, to say which images are expected; default: those of the data

    Raises:
        ValueError: data that are not such images, or fewer than one component.

    >>> DiscretizedLogisticMixtureLikelihood((3, 32, 32)).param_shape
    (100, 32, 32)
    """

    data_range = BYTES
    discrete = True

    def __init__(
        self, data_shape: Sequence[int], num_mixtures: int = 10, channels: int | None = None
    ) -> None:
        super().__init__(data_shape)
        name = "discretized_logistic_mixture likelihood"
        if len(self.data_shape) != 3 or self.data_shape[0] not in PLANES:
            raise ValueError(
                f"{name}: the data must be grey images (1, height, width) or colour images "
                f"(3, height, width), got {self.data_shape}; discretized_logistic and categorical "
                f"take levels of any shape"
            )
        if channels is not None and channels != self.data_shape[0]:
            raise ValueError(
                f"{name}: channels={channels} was asked for, but the data have shape "
                f"{self.data_shape}; channels={self.data_shape[0]} fits them"
            )
        if num_mixtures < 1:
            raise ValueError(f"{name}: num_mixtures must be at least 1, got {num_mixtures}")
        self.num_mixtures = num_mixtures

    @property
    def param_shape(self) -> tuple[int, ...]:
        channels, height, width = self.data_shape
        return (PLANES[channels] * self.num_mixtures, height, width)

    def check(self, x: Tensor, mask: Tensor | None = None) -> None:
        super().check(x, mask)
        if mask is not None and bool((mask != mask.all(1, keepdim=True)).any()):
            raise ValueError(
                "DiscretizedLogisticMixtureLikelihood likelihood: the channels of a pixel are "
                "observed together, got a mask that splits them"
            )

    def forward(self, params: Tensor, **side: Tensor) -> DiscretizedLogisticMixture:
        return DiscretizedLogisticMixture(params, self.num_mixtures, validate_args=False)

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Levels on the scale from -1 to 1."""
        return x.to(dtype) / 127.5 - 1
