"""Mixtures of diagonal Gaussians."""

from __future__ import annotations

from torch import Generator, Tensor

from pyvae import functional as F

from ..case import OpCase
from ..draw import Shape, normal

PARAMETERS = ("z", "means", "logvars", "log_weights")


def _narrow(shape: Shape, generator: Generator) -> Tensor:
    return 0.5 * normal(shape, generator)


def _mixture(name: str, *, each: bool = False, per_dimension: bool = False) -> OpCase:
    return OpCase(
        name=name,
        function=F.gaussian_mixture_log_prob,
        native="gaussian_mixture_log_prob",
        sizes=("components", "batch", "latent"),
        small=(6, 5, 7),
        shapes=lambda k, b, d: {
            "z": (b, d),
            "means": (k, d),
            "logvars": (k, d),
            "log_weights": (b, k) if each else (k,),
        },
        options=lambda k, b, d: {"per_dimension": True} if per_dimension else {},
        arguments=lambda a: (*(a.get(n) for n in PARAMETERS), a.get("per_dimension", False)),
        differentiable=PARAMETERS,
        learned=PARAMETERS,
        draw={"means": _narrow, "logvars": _narrow},
        paired=True,
    )


ROWS = [
    _mixture("gaussian_mixture_log_prob"),
    _mixture("gaussian_mixture_log_prob_of_each", each=True),
    _mixture("gaussian_mixture_log_prob_per_dimension", per_dimension=True),
]
