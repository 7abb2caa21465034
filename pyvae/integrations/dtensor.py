"""The ops on tensors that a mesh of devices shares (``torch.distributed.tensor``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import Partial, Placement, Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

from pyvae import _library

__all__ = ["register"]

#: For each device dimension: the placements of results, and those of arguments.
Choice = tuple[list[Placement | None], list[Placement | None]]

#: Dimensions that operands have behind those that they share with the others.
_INNER = {"categorical_log_prob": (0, 1)}


def _is_tensor(argument: Any) -> bool:
    return isinstance(argument, Tensor) or hasattr(argument, "placements")


def _of_operand(operand: Any, inner: int, dim: int, rank: int) -> Placement:
    """That of an operand, where dimension ``dim`` of ``rank`` broadcast ones is sharded."""
    own = dim - (rank - (len(operand.shape) - inner))
    return Shard(own) if own >= 0 and operand.shape[own] != 1 else Replicate()


def _choices(name: str, *arguments: Any, backward: bool = False) -> list[Choice]:
    """Every argument whole on each device, or the rows of each batch dimension divided."""
    tensors = [a for a in arguments if _is_tensor(a)]
    rest: list[Placement | None] = [None for a in arguments if not _is_tensor(a)]
    grads, operands = (tensors[:1], tensors[1:]) if backward else ([], tensors)
    results = [a for a in arguments if isinstance(a, (list, tuple))][-1] if backward else [True]
    numbers = [a for a in arguments if isinstance(a, int) and not isinstance(a, bool)]
    inner = _INNER.get(name, (0,) * len(operands))
    rank = max(len(t.shape) - i for t, i in zip(operands, inner, strict=True))
    batch_ndim = numbers[-1] if numbers else 1

    def whole() -> list[Placement | None]:
        return [Replicate() for _ in tensors]

    choices: list[Choice] = [([Replicate() if r else None for r in results], whole() + rest)]
    for dim in range(batch_ndim):
        placed = [_of_operand(t, i, dim, rank) for t, i in zip(operands, inner, strict=True)]
        shard: list[Placement | None] = [Shard(dim) for _ in grads]
        if backward:  # an operand that all share has a part of its gradient from each
            made: list[Placement | None] = [
                (p if isinstance(p, Shard) else Partial()) if wanted else None
                for p, wanted in zip(placed, results, strict=True)
            ]
            choices.append((made, [*shard, *placed, *rest]))
        else:
            choices.append(([Shard(dim)], [*placed, *rest]))
    return choices


def register() -> None:
    """Tell ``torch.distributed.tensor`` how values of rows and their gradients are sharded.

    Call it once, before the first op on a ``DTensor``. Batch dimensions may then be sharded: each
    device works on its rows, operands without that dimension (a shared variance) are replicated,
    and their gradients are partial sums. Events are never divided. Ops that draw noise have no
    rule, since a device knows only its own rows' place in the stream: draw from ``to_local()``.

    Example:
        >>> register()
    """
    for op in list(_library.meanings):
        space, name = op._schema.name.split("::")
        arguments = [a.name for a in op._schema.arguments]
        if arguments[-1] != "batch_ndim" or "seed" in arguments or name.endswith("_inplace"):
            continue
        if "mixture" in name:  # its operands share no dimensions
            continue
        backward = getattr(getattr(torch.ops, space), f"{name}_backward").default
        rule: Callable[..., Any] = partial(_choices, name)
        register_sharding(op)(rule)
        register_sharding(backward)(partial(rule, backward=True))
