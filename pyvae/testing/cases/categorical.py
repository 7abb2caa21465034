"""Classes."""

from __future__ import annotations

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import logits

ROWS = [
    OpCase(
        name="categorical_log_prob",
        function=F.categorical_log_prob,
        sizes=("batch", "event", "classes"),
        small=(5, 19, 4),
        shapes=lambda b, d, c: {"x": (b, d), "logits": (b, d, c)},
        arguments=tensors("x", "logits"),
        differentiable=("logits",),
        learned=("logits",),
        draw={"logits": logits},
        classes=lambda b, d, c: {"x": c},
        one_pass=True,
    ),
]
