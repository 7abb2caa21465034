"""Laplace."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors

ROWS = [
    OpCase(
        name="laplace_log_prob",
        function=F.laplace_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "mean": (b, d), "log_scale": (b, d)},
        arguments=tensors("x", "mean", "log_scale"),
        differentiable=("x", "mean", "log_scale"),
        learned=("mean", "log_scale"),
        broadcasts=("log_scale",),
        one_pass=True,
    ),
]
