"""What a careful PyTorch user writes instead of each op: the baseline, and what is compiled.

Keywords are those of the op; ``eps`` is given only where a result is checked, else drawn by torch.
An op without an entry here is raced against its specification in ``pyvae.reference``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

__all__ = ["PLAIN"]

LOG_2PI = math.log(2 * math.pi)


def gaussian_rsample(
    mean: Tensor, logvar: Tensor, *, sample_shape: Sequence[int] = (), eps: Tensor | None = None
) -> Tensor:
    if eps is None:
        eps = torch.randn((*sample_shape, *mean.shape), dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(0.5 * logvar) * eps


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
) -> Tensor:
    if prior_mean is None or prior_logvar is None:
        return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(-1)
    d = logvar - prior_logvar
    away = (mean - prior_mean).square() * torch.exp(-prior_logvar)
    return -0.5 * (1 + d - away - d.exp()).sum(-1)


def gaussian_rsample_kl(
    mean: Tensor, logvar: Tensor, *, eps: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    return gaussian_rsample(mean, logvar, eps=eps), gaussian_kl(mean, logvar)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * torch.exp(-logvar)).sum(-1)


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    num_samples: int,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    *,
    path_derivative: bool = False,
    eps: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    z = gaussian_rsample(mean, logvar, sample_shape=(num_samples,), eps=eps)
    if path_derivative:
        mean, logvar = mean.detach(), logvar.detach()
    if prior_mean is None or prior_logvar is None:
        log_p = -0.5 * (LOG_2PI + z.square()).sum(-1)
    else:
        log_p = gaussian_log_prob(z, prior_mean, prior_logvar)
    return z, log_p - gaussian_log_prob(z, mean, logvar)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def discretized_logistic_mixture_log_prob(x: Tensor, params: Tensor, num_mixtures: int) -> Tensor:
    if not x.is_floating_point():
        x = x * (2 / 255) - 1
    logits, rest = params.split([num_mixtures, params.shape[1] - num_mixtures], 1)
    rest = rest.unflatten(1, (x.shape[1], -1, num_mixtures))
    means, precision = rest[:, :, 0], torch.exp(-rest[:, :, 1].clamp(min=-7))
    x = x.unsqueeze(2)
    if x.shape[1] == 3:
        k = torch.tanh(rest[:, :, 2])
        green = means[:, 1] + k[:, 0] * x[:, 0]
        blue = means[:, 2] + k[:, 1] * x[:, 0] + k[:, 2] * x[:, 1]
        means = torch.stack((means[:, 0], green, blue), 1)
    below = logsigmoid(precision * (x - means + 1 / 255))
    above = logsigmoid(precision * (means - x + 1 / 255))
    inside = below + above + torch.log(-torch.expm1(precision * (-2 / 255)))
    log_probs = torch.where(x < -0.999, below, torch.where(x > 0.999, above, inside)).sum(1)
    return torch.logsumexp(torch.log_softmax(logits, 1) + log_probs, 1).sum((1, 2))


def bernoulli_elbo_loss(
    x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor, beta: Tensor | float = 1.0
) -> Tensor:
    reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum()
    return (reconstruction + beta * kl) / x.shape[0]


def gaussian_elbo_loss(
    x: Tensor,
    decoded_mean: Tensor,
    decoded_logvar: Tensor,
    mean: Tensor,
    logvar: Tensor,
    beta: Tensor | float = 1.0,
) -> Tensor:
    kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum()
    error = (x - decoded_mean).square() * torch.exp(-decoded_logvar)
    return (0.5 * (LOG_2PI + decoded_logvar + error).sum() + beta * kl) / x.shape[0]


#: By the native name of the op, as in ``pyvae.reference``.
PLAIN: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    f.__name__: f
    for f in (
        gaussian_rsample,
        gaussian_kl,
        gaussian_rsample_kl,
        gaussian_rsample_log_ratio,
        gaussian_log_prob,
        bernoulli_log_prob,
        discretized_logistic_mixture_log_prob,
        bernoulli_elbo_loss,
        gaussian_elbo_loss,
    )
}
