"""What likelihoods with a location and a spread share: where the spread comes from."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pyvae.likelihoods.base import Likelihood

__all__ = ["LocationScaleLikelihood"]


class LocationScaleLikelihood(Likelihood, ABC):
    """A location from the decoder, and a spread that is fixed, learned, or the decoder's too.

    A subclass calls :meth:`_set_spread` in its constructor.
    """

    #: What the spread is: the name of its parameter or buffer.
    spread: ClassVar[str] = "log_scale"

    def _set_spread(self, kind: str, start: float, *, what: str, option: str, given: bool) -> None:
        """Keep the spread, with ``start`` as its value, of a part and an option for messages."""
        if kind not in ("fixed", "learned", "per_pixel"):
            raise ValueError(
                f"{what} likelihood: {option} must be 'fixed', 'learned' or 'per_pixel', "
                f"got {kind!r}"
            )
        if given and kind == "per_pixel":
            raise ValueError(
                f"{what} likelihood: a start is given only for a fixed or learned {option}, "
                f"got {option}={kind!r}"
            )
        self.kind = kind
        value = torch.tensor(start)
        if kind == "learned":
            self.register_parameter(self.spread, nn.Parameter(value))
        elif kind == "fixed":
            self.register_buffer(self.spread, value, persistent=False)

    @property
    def param_shape(self) -> tuple[int, ...]:
        first, *rest = self.data_shape
        return (2 * first if self.kind == "per_pixel" else first, *rest)

    def _parts(self, params: Tensor) -> Sequence[Tensor]:
        """Location (*batch, *data_shape) and spread, which broadcasts with it."""
        if self.kind == "per_pixel":
            parts: tuple[Tensor, ...] = params.chunk(2, dim=-len(self.data_shape))
            return parts
        return params, getattr(self, self.spread)

    def init_from_mean(self, data_mean: Tensor) -> Tensor | None:
        if self.kind == "per_pixel":
            return torch.cat([data_mean, torch.zeros_like(data_mean)])
        return data_mean
