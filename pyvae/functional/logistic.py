"""Logistics on the 256 levels of a pixel."""

from __future__ import annotations

from torch import Tensor

from ._arguments import number, ops
from .observed import log_prob


def discretized_logistic_log_prob(
    x: Tensor,
    mean: Tensor,
    log_scale: Tensor | float,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """log-mass that a logistic puts on each pixel's level, in nats, per sample.

    sum log [sigmoid((x + h - mean) / s) - sigmoid((x - h - mean) / s)], s = exp(log_scale), on data
    scaled to [-1, 1] with h = 1/255: level k lies at 2 k / 255 - 1. Level 0 has all mass below it
    too and level 255 all above, so that the 256 masses sum to 1 (Kingma et al., "Improving
    variational inference with inverse autoregressive flow", 2016, appendix; Salimans et al.,
    "PixelCNN++", 2017, section 2.1). The difference is exact at any distance from the mean.

    Args:
        x: ``(*batch, *event)``: integer levels, or floats from -1 to 1.
        mean: on the scale from -1 to 1; the same event shape; batch dimensions may be missing or 1.
        log_scale: a number, or any tensor that broadcasts, such as one for each channel. Below -7
            it counts as -7 and has no gradient.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> x, mean = torch.tensor([[0, 128, 255]], dtype=torch.uint8), torch.zeros(1, 3)
        >>> discretized_logistic_log_prob(x, mean, -2.0)
        tensor([-18.9561])
        >>> discretized_logistic_log_prob(x / 127.5 - 1, mean, -2.0)
        tensor([-18.9561])
    """
    scale, name = number(log_scale, mean), "discretized_logistic_log_prob"
    op = ops.discretized_logistic_log_prob.default
    return log_prob(op, x, mean, scale, batch_ndim=batch_ndim, mask=mask, name=name)
