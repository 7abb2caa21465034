"""Logistics on the levels of a pixel, as bytes and as floats from -1 to 1."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import Draw, levels, scaled_levels


def _discretized(name: str, x: Draw, differentiable: tuple[str, ...]) -> OpCase:
    return OpCase(
        name=name,
        function=F.discretized_logistic_log_prob,
        native="discretized_logistic_log_prob",
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "mean": (b, d), "log_scale": (b, d)},
        arguments=tensors("x", "mean", "log_scale"),
        differentiable=differentiable,
        learned=("mean", "log_scale"),
        broadcasts=("log_scale",),
        draw={"x": x},
        levels=True,
        one_pass=True,
    )


ROWS = [
    _discretized("discretized_logistic_log_prob", levels, ("mean", "log_scale")),
    _discretized("discretized_logistic_log_prob_scaled", scaled_levels, ("x", "mean", "log_scale")),
]
