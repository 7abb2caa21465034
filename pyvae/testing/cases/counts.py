"""Counts."""

from __future__ import annotations

from functools import partial

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import counts, logits, normal, positive

ROWS = [
    OpCase(
        name="poisson_log_prob",
        function=F.poisson_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "log_rate": (b, d)},
        arguments=tensors("x", "log_rate"),
        differentiable=("log_rate",),
        learned=("log_rate",),
        draw={"x": counts},
        one_pass=True,
    ),
    OpCase(
        name="negative_binomial_log_prob",
        function=F.negative_binomial_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "mean": (b, d), "inverse_dispersion": (b, d)},
        arguments=tensors("x", "mean", "inverse_dispersion"),
        differentiable=("mean", "inverse_dispersion"),
        learned=("mean", "inverse_dispersion"),
        broadcasts=("inverse_dispersion",),
        draw={"x": counts, "mean": positive, "inverse_dispersion": positive},
        one_pass=True,
    ),
    OpCase(
        name="negative_binomial_log_prob_log_mean",
        function=partial(F.negative_binomial_log_prob, mean=None),
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "log_mean": (b, d), "inverse_dispersion": (b, d)},
        arguments=tensors("x", "log_mean", "inverse_dispersion"),
        differentiable=("log_mean", "inverse_dispersion"),
        learned=("log_mean", "inverse_dispersion"),
        broadcasts=("inverse_dispersion",),
        draw={"x": counts, "log_mean": normal, "inverse_dispersion": positive},
        one_pass=True,
    ),
    OpCase(
        name="zero_inflated_negative_binomial_log_prob",
        function=F.zero_inflated_negative_binomial_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {
            "x": (b, d),
            "mean": (b, d),
            "inverse_dispersion": (d,),
            "zi_logits": (b, d),
        },
        arguments=tensors("x", "mean", "inverse_dispersion", "zi_logits"),
        differentiable=("mean", "inverse_dispersion", "zi_logits"),
        learned=("mean", "inverse_dispersion", "zi_logits"),
        broadcasts=("inverse_dispersion", "zi_logits"),
        draw={
            "x": counts,
            "mean": positive,
            "inverse_dispersion": positive,
            "zi_logits": logits,
        },
    ),
    OpCase(
        name="zero_inflated_negative_binomial_log_prob_log_mean",
        function=partial(F.zero_inflated_negative_binomial_log_prob, mean=None),
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {
            "x": (b, d),
            "log_mean": (b, d),
            "inverse_dispersion": (d,),
            "zi_logits": (b, d),
        },
        arguments=tensors("x", "log_mean", "inverse_dispersion", "zi_logits"),
        differentiable=("log_mean", "inverse_dispersion", "zi_logits"),
        learned=("log_mean", "inverse_dispersion", "zi_logits"),
        broadcasts=("inverse_dispersion", "zi_logits"),
        draw={
            "x": counts,
            "log_mean": normal,
            "inverse_dispersion": positive,
            "zi_logits": logits,
        },
    ),
]
