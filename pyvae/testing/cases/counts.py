"""Counts."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pyvae import functional as F

from ..case import OpCase, tensors
from ..draw import Draw, counts, logits, normal, positive


def negative_binomial_log_prob_log_mean(
    x: Tensor,
    log_mean: Tensor,
    inverse_dispersion: Tensor,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """By the logarithm of the mean."""
    return F.negative_binomial_log_prob(
        x, None, inverse_dispersion, log_mean=log_mean, mask=mask, batch_ndim=batch_ndim
    )


def zero_inflated_negative_binomial_log_prob_log_mean(
    x: Tensor,
    log_mean: Tensor,
    inverse_dispersion: Tensor,
    zi_logits: Tensor,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """The same with extra zeros."""
    return F.zero_inflated_negative_binomial_log_prob(
        x,
        None,
        inverse_dispersion,
        zi_logits,
        log_mean=log_mean,
        mask=mask,
        batch_ndim=batch_ndim,
    )


def _negative_binomials(
    mean: str, by: Callable[..., Tensor], inflated_by: Callable[..., Tensor]
) -> list[OpCase]:
    """Without and with extra zeros, by an operand that says the mean."""
    learned = (mean, "inverse_dispersion")
    draws: dict[str, Draw] = {"x": counts, "inverse_dispersion": positive, "zi_logits": logits}
    draws[mean] = positive if mean == "mean" else normal
    return [
        OpCase(
            name=by.__name__,
            function=by,
            sizes=("batch", "event"),
            small=(5, 19),
            shapes=lambda b, d: dict.fromkeys(("x", mean, "inverse_dispersion"), (b, d)),
            arguments=tensors("x", *learned),
            differentiable=learned,
            learned=learned,
            broadcasts=("inverse_dispersion",),
            draw=draws,
            one_pass=True,
        ),
        OpCase(
            name=inflated_by.__name__,
            function=inflated_by,
            sizes=("batch", "event"),
            small=(5, 19),
            shapes=lambda b, d: {
                "x": (b, d),
                mean: (b, d),
                "inverse_dispersion": (d,),
                "zi_logits": (b, d),
            },
            arguments=tensors("x", *learned, "zi_logits"),
            differentiable=(*learned, "zi_logits"),
            learned=(*learned, "zi_logits"),
            broadcasts=("inverse_dispersion", "zi_logits"),
            draw=draws,
            one_pass=True,
        ),
    ]


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
    *_negative_binomials(
        "mean", F.negative_binomial_log_prob, F.zero_inflated_negative_binomial_log_prob
    ),
    *_negative_binomials(
        "log_mean",
        negative_binomial_log_prob_log_mean,
        zero_inflated_negative_binomial_log_prob_log_mean,
    ),
]
