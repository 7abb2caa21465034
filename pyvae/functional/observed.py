"""Log-likelihoods of what is observed: a mask says which elements of the event count.

Each operand is 1 where the mask is False, and the op gives the value of each element; those that
are observed are summed. So neither data nor parameters that are masked are looked at, whatever they
hold, and their gradients are exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["check_mask", "log_prob", "only_observed", "sum_observed", "sum_rows"]

CHUNK = 2**14  # elements of a single row that are summed at a time: by one thread of torch's


def check_mask(op: str, mask: Any, shape: Sequence[int], device: torch.device | None) -> None:
    """Raise what is wrong with a mask of data and parameters of one shape, on a device.

    Raises:
        TypeError: it is no bool tensor.
        ValueError: it does not broadcast to the shape, or lies on another device.
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{op}: mask must be a bool tensor, True where x is observed, got {got}")
    if device is not None and mask.device != device:
        raise ValueError(f"{op}: mask must be on {device} as x is, got {mask.device}")
    own = tuple(shape)[len(shape) - mask.ndim :]
    if mask.ndim > len(shape) or any(m not in (1, n) for m, n in zip(mask.shape, own, strict=True)):
        raise ValueError(
            f"{op}: mask must broadcast to the shape {list(shape)}, got {list(mask.shape)}"
        )


def _broadcast(*shapes: torch.Size) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(*shapes)
    return shape


def only_observed(mask: Tensor, operand: Tensor, inner: int = 0) -> Tensor:
    """The operand where it is observed, elsewhere 1; behind the mask's it has ``inner`` dimensions.

    A gradient that comes back is 0 where the mask is False, even if it was NaN.
    """
    mask = mask[(..., *(None,) * inner)] if inner else mask
    return torch.where(mask, operand, operand.new_ones(()))


def sum_rows(each: Tensor, event_ndim: int) -> Tensor:
    """The sum over the last dimensions: the same bits for any number of threads."""
    if event_ndim == 0:
        return each
    rows = each.flatten(-event_ndim)
    if rows.shape[-1] > CHUNK and rows.shape[:-1].numel() == 1:  # torch splits it by threads
        return torch.stack([part.sum(-1) for part in rows.split(CHUNK, -1)]).sum(0)
    return rows.sum(-1)


def sum_observed(mask: Tensor, each: Tensor, event_ndim: int) -> Tensor:
    """The sum of the values of each element that is observed."""
    return sum_rows(torch.where(mask, each, 0.0), event_ndim)


def log_prob(
    op: Callable[..., Tensor],
    x: Tensor,
    *operands: Tensor,
    batch_ndim: int,
    mask: Tensor | None,
    name: str,
    inner: int = 0,
) -> Tensor:
    """The op; with a mask its sum over the elements of the event that are observed.

    Args:
        op: takes data, operands and batch_ndim
        x: data
        operands: the parameters, each broadcast as the op does it
        batch_ndim: leading dimensions of the broadcast result to keep
        mask: bool, of a shape that broadcasts to that of x and the operands
        name: of the op, for messages
        inner: dimensions that the parameters have behind those of x
    """
    if mask is None:
        return op(x, *operands, batch_ndim)
    shapes = [x.shape, *(t.shape[: t.ndim - inner] for t in operands)]
    ndim = max(map(len, shapes))
    n = ndim - batch_ndim
    if not 0 <= n <= ndim or any(n and s[-n:] != x.shape[-n:] for s in shapes):
        op(x, *operands, batch_ndim)  # which says what does not fit, if so
    check_mask(name, mask, _broadcast(*shapes), x.device)
    kept = [only_observed(mask, t, inner) for t in operands]
    return sum_observed(mask, op(only_observed(mask, x), *kept, ndim), n)
