"""Parameters as callers give them: tensors or numbers, under one of several names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints, transform_to
from torch.distributions.transforms import SigmoidTransform

from pyvae.distributions.base import precise

__all__ = [
    "NOTHING",
    "Parameter",
    "as_tensors",
    "fractions",
    "log_odds",
    "only",
    "open_unit_interval",
    "steep_log",
]

Parameter = Tensor | float

#: Stands for 0 in a logarithm: so little that nothing else changes, with a slope that can be held.
NOTHING = 1e-30


class _OpenUnitInterval(constraints.Constraint):
    def check(self, value: Tensor) -> Tensor:
        return (value > 0) & (value < 1)

    def __repr__(self) -> str:
        return "OpenInterval(lower_bound=0.0, upper_bound=1.0)"


open_unit_interval = _OpenUnitInterval()


class _Fractions(constraints.Constraint):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0) & (value <= 1)

    def __repr__(self) -> str:
        return "Fractions()"


#: 0 and 1, and what lies between as the share of times that a variable was 1.
fractions = _Fractions()


@biject_to.register(_OpenUnitInterval)  # type: ignore[untyped-decorator]
@transform_to.register(_OpenUnitInterval)  # type: ignore[untyped-decorator]
def _to_unit_interval(constraint: constraints.Constraint) -> SigmoidTransform:
    return SigmoidTransform()


def only(family: str, **names: Parameter | None) -> dict[str, Parameter]:
    """The one that is given of several parameters that say the same.

    >>> only("Laplace", scale=None, log_scale=0.0)
    {'log_scale': 0.0}
    """
    given = {name: value for name, value in names.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"{family}: expected one of {' and '.join(names)}, got "
            f"{' and '.join(given) or 'none of them'}"
        )
    return given


def as_tensors(family: str, **given: Any) -> dict[str, Tensor]:
    """All as floating-point tensors: numbers and integers in the dtype of the first that is one.

    Raises:
        TypeError: something else, or tensors of integers alone.
    """
    found = {k: t for k, t in given.items() if isinstance(t, Tensor) and t.is_floating_point()}
    if len(found) == len(given):
        return found
    like = next(iter(found.values()), None)
    for name, value in given.items():
        if isinstance(value, (int, float)):
            dtype = torch.get_default_dtype() if like is None else like.dtype
            device = None if like is None else like.device
            found[name] = torch.tensor(value, dtype=dtype, device=device)
        elif name not in found:
            if not isinstance(value, Tensor) or value.is_complex() or like is None:
                got = value.dtype if isinstance(value, Tensor) else type(value).__name__
                raise TypeError(f"{family}: {name} must be a floating-point tensor, got {got}")
            found[name] = value.to(like.dtype)
    return {name: found[name] for name in given}


def log_odds(probs: Tensor) -> Tensor:
    """log p - log(1 - p), infinite where p is 0 or 1."""
    p = precise(probs)
    return (p.log() - torch.log1p(-p)).to(probs.dtype)


def steep_log(share: Tensor) -> Tensor:
    """log s in float32 at least, where 0 counts as 1e-30.

    The gradient of a log-density in s is then that at 0 where it is finite: -1 for log(1 - s), of
    which infinity times 0 would be made otherwise. Whoever takes it says which values are
    impossible.
    """
    s = precise(share)
    return torch.log(s + NOTHING * (s == 0).to(s.dtype))
