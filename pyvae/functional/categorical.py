"""Classes from logits."""

from __future__ import annotations

from torch import Tensor

from ._arguments import allowed, ops
from .observed import log_prob


def categorical_log_prob(
    x: Tensor,
    logits: Tensor,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
    inplace: bool = False,
) -> Tensor:
    """log p(x) = sum l_x - log sum_k exp(l_k) in nats, per sample, from logits l of each class k.

    One of C values for each element of the event: a pixel of 256 levels (van den Oord, Kalchbrenner
    and Kavukcuoglu, "Pixel recurrent neural networks", 2016, section 3.3), a token, a label. Equal
    to ``-cross_entropy``. The softmax is never stored; it appears only in the gradient.

    Args:
        x: classes ``(*batch, *event)``, int64, int32, int16 or uint8.
        logits: ``(*batch, *event, C)``, classes last. Batch dimensions of either may be missing or
            1 and are not expanded. Logits with classes elsewhere, such as ``(B, C, H, W)``, are
            read where they lie after ``movedim(1, -1)``; above 1024 classes they are copied.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result, without the classes, to keep.
        inplace: let the gradient of ``logits`` take their storage; see :func:`bernoulli_log_prob`.

    Returns:
        ``(*batch,)``, float32 at least. A value of ``x`` outside 0 .. C - 1 gives NaN, for its
        sample and in the gradient of its logits; raising instead would have to wait for the device.

    Raises:
        ValueError: shapes whose events differ or whose batches do not broadcast, or no classes.
        TypeError: ``x`` of another dtype, or logits that are not a floating-point tensor.

    Example:
        >>> import torch
        >>> pixels = torch.tensor([[0, 17, 255]])
        >>> categorical_log_prob(pixels, torch.zeros(1, 3, 256))  # 3 log 256
        tensor([-16.6355])
    """
    op = (
        ops.categorical_log_prob_inplace.default
        if allowed(inplace)
        else ops.categorical_log_prob.default
    )
    name = "categorical_log_prob"
    return log_prob(op, x, logits, batch_ndim=batch_ndim, mask=mask, name=name, inner=1)
