"""Bernoulli from logits."""

from __future__ import annotations

from torch import Tensor

from ._arguments import allowed, ops
from .observed import log_prob
from .parameters import one_of, probs_to_logits


def bernoulli_log_prob(
    x: Tensor,
    logits: Tensor | None = None,
    *,
    probs: Tensor | None = None,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
    inplace: bool = False,
) -> Tensor:
    """log p(x) = sum x l - log(1 + exp(l)) in nats, per sample, from logits l.

    Kingma and Welling, 2014, appendix C.1. Exact for logits of any size: no probability is formed
    or clamped.

    Args:
        x: ``(*batch, *event)`` in [0, 1]; bool and integers 0/1 too.
        logits: the same event shape; batch dimensions may be missing or 1.
        probs: probabilities in the place of the logits: see :func:`probs_to_logits`. The result is
            then the negative of ``binary_cross_entropy`` with ``reduction="sum"``, per sample.
        mask: bool, True where x is observed; it broadcasts to the shape of x. The sum runs over the
            elements that are observed. Those that are not may be NaN or anything, here and in the
            parameters, and their gradients are exactly 0; a row without any has log p = 0.
        batch_ndim: leading dimensions of the broadcast result to keep.
        inplace: let the gradient of ``logits`` overwrite them, which saves a buffer and the time to
            map its memory. Only for logits that nothing else uses, such as the output of a last
            linear layer: another use of them that needs a gradient raises in the backward, and so
            does a second backward. This is a permission; it is ignored without gradients, under
            torch.compile and torch.func, and where the gradient has another shape or a 16-bit
            dtype. A leaf that requires grad raises ValueError.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> bernoulli_log_prob(torch.tensor([[True, False]]), torch.zeros(1, 2))
        tensor([-1.3863])
    """
    name = "bernoulli_log_prob"
    op = (
        ops.bernoulli_log_prob_inplace.default
        if allowed(inplace)
        else ops.bernoulli_log_prob.default
    )
    if logits is not None and probs is None:
        return log_prob(op, x, logits, batch_ndim=batch_ndim, mask=mask, name=name)
    one_of(name, logits=logits, probs=probs)
    assert probs is not None

    def of_probs(x: Tensor, probs: Tensor, batch_ndim: int) -> Tensor:
        return op(x, probs_to_logits(probs), batch_ndim)  # type: ignore[no-any-return]

    return log_prob(of_probs, x, probs, batch_ndim=batch_ndim, mask=mask, name=name)
