"""The loss of a training step, as eager, compiled and fused code: sampling, then the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pyvae import functional as F
from pyvae.benchmarking.plain import PLAIN


class Loss(NamedTuple):
    """What comes between the networks.

    Attributes:
        sample: mean, logvar, K (0: the ELBO) and, for a check, the noise (a seed for pyvae)
            -> z and log p(z) - log q(z|x)
        value: x, logits, mean, logvar, log-ratio -> a scalar
    """

    sample: Callable[[Tensor, Tensor, int, Tensor | None], tuple[Tensor, Tensor | None]]
    value: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None], Tensor]


def _plain_sample(
    mean: Tensor, logvar: Tensor, samples: int, eps: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    if samples:
        return PLAIN["gaussian_rsample_log_ratio"](mean, logvar, samples, eps=eps)  # type: ignore
    return PLAIN["gaussian_rsample"](mean, logvar, eps=eps), None  # type: ignore


def _plain_elbo(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, log_ratio: Tensor | None
) -> Tensor:
    return PLAIN["bernoulli_elbo_loss"](x, logits, mean, logvar)  # type: ignore


def _plain_iwae(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, log_ratio: Tensor | None
) -> Tensor:
    x = x.expand_as(logits)
    log_p = -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    return -(torch.logsumexp(log_ratio + log_p, 0) - math.log(len(logits))).mean()


def eager(iwae: bool) -> Loss:
    return Loss(_plain_sample, _plain_iwae if iwae else _plain_elbo)


def compiled(iwae: bool) -> Loss:
    made = eager(iwae)
    return Loss(*(torch.compile(f, dynamic=False, fullgraph=True) for f in made))


def fused(iwae: bool, inplace: bool = False) -> Loss:
    def sample(
        mean: Tensor, logvar: Tensor, samples: int, seed: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if samples:
            return F.gaussian_rsample_log_ratio(mean, logvar, samples, seed=seed)
        return F.gaussian_rsample(mean, logvar, seed=seed), None

    def elbo(
        x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, log_ratio: Tensor | None
    ) -> Tensor:
        return F.elbo_loss(x, logits, mean, logvar, inplace=inplace)

    def importance(
        x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, log_ratio: Tensor | None
    ) -> Tensor:
        log_p = F.bernoulli_log_prob(x, logits, batch_ndim=2, inplace=inplace)
        return -(torch.logsumexp(log_ratio + log_p, 0) - math.log(len(logits))).mean()

    return Loss(sample, importance if iwae else elbo)


LOSSES: Mapping[str, Callable[[bool], Loss]] = {
    "eager": eager,
    "compile": compiled,
    "pyvae": fused,
    "pyvae in place": lambda iwae: fused(iwae, inplace=True),
}
