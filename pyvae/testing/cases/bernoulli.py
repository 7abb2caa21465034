"""Bernoulli."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import logits, uniform

ROWS = [
    OpCase(
        name="bernoulli_log_prob",
        function=F.bernoulli_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "logits": (b, d)},
        arguments=tensors("x", "logits"),
        differentiable=("x", "logits"),
        learned=("logits",),
        draw={"x": uniform, "logits": logits},
        one_pass=True,
    ),
]
