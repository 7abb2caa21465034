"""Laplace by mean and log-scale."""

from __future__ import annotations

from torch import Tensor

from ._arguments import number, ops
from .observed import log_prob


def laplace_log_prob(
    x: Tensor,
    mean: Tensor,
    log_scale: Tensor | float = 0.0,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """log p(x) = sum -|x - mean| exp(-log_scale) - log_scale - log 2 in nats, per sample.

    The absolute error as a likelihood, with the constant, so that a scale can be learned. Laplace,
    1774. Where x equals the mean, its slope is 0.

    Args:
        x: ``(*batch, *event)``; bool and integers count as numbers.
        mean: the same event shape; batch dimensions may be missing or 1.
        log_scale: a number, or any tensor that broadcasts, such as a learned scalar.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> laplace_log_prob(torch.zeros(2, 3), torch.zeros(2, 3))
        tensor([-2.0794, -2.0794])
    """
    scale, name = number(log_scale, mean), "laplace_log_prob"
    op = ops.laplace_log_prob.default
    return log_prob(op, x, mean, scale, batch_ndim=batch_ndim, mask=mask, name=name)
