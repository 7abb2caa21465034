"""What likelihoods with a location and a spread share: where the spread comes from."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pyvae.likelihoods.base import Likelihood

__all__ = ["LocationScaleLikelihood"]


class LocationScaleLikelihood(Likelihood, ABC):
    """A location from the decoder, and a spread that is fixed, learned, or the decoder's too.

    A subclass calls :meth:`_set_spread` in its constructor.

    Args:
        data_shape: the shape of one datum
        standardize: let the networks see each variable with mean 0 and standard deviation 1. The
            statistics are stored with the model; p(x|z) stays one of the data as they are
    """

    shift: Tensor | None
    unit: Tensor | None

    #: What the spread is: the name of its parameter or buffer.
    spread: ClassVar[str] = "log_scale"

    def __init__(self, data_shape: Sequence[int], standardize: bool = False) -> None:
        super().__init__(data_shape)
        self.register_buffer("shift", torch.zeros(self.data_shape) if standardize else None)
        self.register_buffer("unit", torch.ones(self.data_shape) if standardize else None)

    def _set_spread(
        self,
        kind: str,
        start: float,
        *,
        what: str,
        option: str,
        given: bool,
        more: tuple[str, ...] = (),
    ) -> None:
        """Keep the spread, with ``start`` as its value, of a part and an option for messages.

        ``more``: kinds beside the usual ones, which the part keeps itself.
        """
        *others, last = "fixed", "learned", "per_variable", *more, "per_pixel"
        if kind not in (*others, last):
            raise ValueError(
                f"{what} likelihood: {option} must be {', '.join(map(repr, others))} or {last!r}, "
                f"got {kind!r}"
            )
        if given and kind == "per_pixel":
            raise ValueError(
                f"{what} likelihood: a start is given only for a fixed or learned {option}, "
                f"got {option}={kind!r}"
            )
        self.kind = kind
        if kind == "learned":  # one number, in one dimension: sharding takes no fewer
            self.register_parameter(self.spread, nn.Parameter(torch.tensor([start])))
        elif kind == "per_variable":
            each = torch.full(self.data_shape, start)
            self.register_parameter(self.spread, nn.Parameter(each))
        elif kind == "fixed":
            self.register_buffer(self.spread, torch.tensor(start), persistent=False)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        name = prefix + self.spread
        if name in state and state[name].ndim == 0:  # as it was once written
            state[name] = state[name].reshape(1)
        super()._load_from_state_dict(state, prefix, *rest)

    @torch.no_grad()
    def init_from_statistics(self, mean: Tensor, std: Tensor) -> None:
        if self.shift is not None and self.unit is not None:
            self.shift.copy_(mean)
            self.unit.copy_(torch.where(std > 0, std, torch.ones_like(std)))

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Data as they are, or standardized."""
        x = x.to(dtype)
        return x if self.shift is None or self.unit is None else (x - self.shift) / self.unit

    @property
    def param_shape(self) -> tuple[int, ...]:
        first, *rest = self.data_shape
        return (2 * first if self.kind == "per_pixel" else first, *rest)

    def _parts(self, params: Tensor) -> Sequence[Tensor]:
        """Location (*batch, *data_shape) and spread, which broadcasts with it."""
        if self.kind == "per_pixel":
            location, spread = params.chunk(2, dim=-len(self.data_shape))
        else:
            location, spread = params, getattr(self, self.spread)
        if self.shift is None or self.unit is None:
            return location, spread
        powers = 2 if self.spread == "logvar" else 1
        return self.shift + self.unit * location, spread + powers * self.unit.log()

    def init_from_mean(self, data_mean: Tensor) -> Tensor | None:
        if self.shift is not None and self.unit is not None:
            data_mean = (data_mean - self.shift) / self.unit
        if self.kind == "per_pixel":
            return torch.cat([data_mean, torch.zeros_like(data_mean)])
        return data_mean
