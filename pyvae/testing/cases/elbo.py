"""The negative ELBO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pyvae import functional as F

from ..case import OpCase
from ..draw import logits, uniform, weight


def _gaussian_elbo_loss(
    x: Tensor,
    decoded_mean: Tensor,
    decoded_logvar: Tensor,
    mask: Tensor | None = None,
    **rest: Any,
) -> Tensor:
    decoded = (decoded_mean, decoded_logvar)
    return F.elbo_loss(x, decoded, likelihood="gaussian", mask=mask, **rest)


def _bernoulli_elbo_loss(
    x: Tensor, logits: Tensor, mask: Tensor | None = None, **rest: Any
) -> Tensor:
    return F.elbo_loss(x, logits, likelihood="bernoulli", mask=mask, **rest)


def _loss(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    reductions = {"none": 0, "mean": 1, "sum": 2}
    return lambda a: (*(a.get(name) for name in names), reductions[a.get("reduction", "mean")])


ROWS = [
    OpCase(
        name="elbo_loss",
        function=_bernoulli_elbo_loss,
        native="bernoulli_elbo_loss",
        sizes=("batch", "event", "latent"),
        small=(5, 19, 7),
        shapes=lambda b, d, n: {
            "x": (b, d),
            "logits": (b, d),
            "mean": (b, n),
            "logvar": (b, n),
            "beta": (),
        },
        arguments=_loss("x", "logits", "mean", "logvar", "beta"),
        differentiable=("x", "logits", "mean", "logvar", "beta"),
        learned=("logits", "mean", "logvar"),
        broadcasts=("logvar",),
        draw={"x": uniform, "logits": logits, "beta": weight},
        one_pass=True,
    ),
    OpCase(
        name="elbo_loss_gaussian",
        function=_gaussian_elbo_loss,
        native="gaussian_elbo_loss",
        sizes=("batch", "event", "latent"),
        small=(5, 19, 7),
        shapes=lambda b, d, n: {
            "x": (b, d),
            "decoded_mean": (b, d),
            "decoded_logvar": (b, d),
            "mean": (b, n),
            "logvar": (b, n),
            "beta": (),
        },
        arguments=_loss("x", "decoded_mean", "decoded_logvar", "mean", "logvar", "beta"),
        differentiable=("x", "decoded_mean", "decoded_logvar", "mean", "logvar", "beta"),
        learned=("decoded_mean", "decoded_logvar", "mean", "logvar"),
        broadcasts=("decoded_logvar", "logvar"),
        draw={"beta": weight},
        one_pass=True,
    ),
    OpCase(
        name="negative_elbo",
        function=F.negative_elbo,
        sizes=("samples", "batch"),
        small=(4, 5),
        shapes=lambda k, b: {"log_prob": (k, b), "kl": (b,), "beta": ()},
        arguments=lambda a: (a["log_prob"], a["kl"], a["beta"], 1.0),
        differentiable=("log_prob", "kl", "beta"),
        learned=("log_prob", "kl"),
        draw={"beta": weight},
        one_pass=True,
    ),
]
