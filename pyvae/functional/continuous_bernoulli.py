"""Continuous Bernoulli from logits."""

from __future__ import annotations

from torch import Tensor

from ._arguments import ops
from .observed import log_prob


def continuous_bernoulli_log_prob(
    x: Tensor, logits: Tensor, *, mask: Tensor | None = None, batch_ndim: int = 1
) -> Tensor:
    """log p(x) = sum x l - log((exp(l) - 1) / l) in nats, per sample, for x between 0 and 1.

    The Bernoulli formula made a density on [0, 1] (Loaiza-Ganem and Cunningham, "The continuous
    Bernoulli: fixing a pervasive error in variational autoencoders", 2019, equation 8), from logits
    l of any size: no probability is formed or clamped, and nothing is cut out around l = 0, where
    the density is uniform.

    Args:
        x: ``(*batch, *event)`` in [0, 1]; bool and integers 0/1 too.
        logits: the same event shape; batch dimensions may be missing or 1.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> continuous_bernoulli_log_prob(torch.tensor([[0.2, 0.9]]), torch.tensor([[0.0, 2.0]]))
        tensor([0.6386])
    """
    name = "continuous_bernoulli_log_prob"
    op = ops.continuous_bernoulli_log_prob.default
    return log_prob(op, x, logits, batch_ndim=batch_ndim, mask=mask, name=name)
