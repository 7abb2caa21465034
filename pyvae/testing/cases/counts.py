"""Counts."""

from __future__ import annotations

from torch import Tensor

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import counts, logits, normal, positive


def negative_binomial_log_prob_log_mean(
    x: Tensor, log_mean: Tensor, inverse_dispersion: Tensor, *, batch_ndim: int = 1
) -> Tensor:
    """By the logarithm of the mean."""
    return F.negative_binomial_log_prob(
        x, None, inverse_dispersion, log_mean=log_mean, batch_ndim=batch_ndim
    )


def zero_inflated_negative_binomial_log_prob_log_mean(
    x: Tensor,
    log_mean: Tensor,
    inverse_dispersion: Tensor,
    zi_logits: Tensor,
    *,
    batch_ndim: int = 1,
) -> Tensor:
    """The same with extra zeros."""
    return F.zero_inflated_negative_binomial_log_prob(
        x, None, inverse_dispersion, zi_logits, log_mean=log_mean, batch_ndim=batch_ndim
    )


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
        function=negative_binomial_log_prob_log_mean,
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
        function=zero_inflated_negative_binomial_log_prob_log_mean,
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
