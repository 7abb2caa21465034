"""Divergences in closed form, by the families of both distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence, register_kl

__all__ = ["closed_form", "divergence"]

Formula = Callable[[Any, Any], Tensor]

CLOSED: dict[tuple[type, type], Formula] = {}


def closed_form(q: type[Distribution], p: type[Distribution]) -> Callable[[Formula], Formula]:
    """Makes a function KL(q || p), also that of ``torch.distributions.kl_divergence``."""

    def register(formula: Formula) -> Formula:
        CLOSED[q, p] = formula
        register_kl(q, p)(formula)
        return formula

    return register


def divergence(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p), as torch's, whose search for a formula torch.compile cannot trace.

    Raises:
        NotImplementedError: no closed form is known.
    """
    if torch.compiler.is_compiling():
        for one in type(q).__mro__:
            for other in type(p).__mro__:
                if (one, other) in CLOSED:
                    return CLOSED[one, other](q, p)
    kl: Tensor = kl_divergence(q, p)
    return kl
