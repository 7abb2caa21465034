"""Weights that are dealt out to processes, each of which holds a share of every tensor (FSDP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from pyvae.models.base import Model

__all__ = ["Mirror", "dealt", "is_shared", "like", "local", "shard", "whole", "whole_named"]


def shard(module: nn.Module, mesh: Any) -> nn.Module:
    """Deal the weights of a module out; while it computes, each process has all of them.

    Gradients and the state of optimizers stay dealt out. The module as a whole is one unit, since
    objectives call the parts of a model by methods of their own.

    Args:
        module: changed in place
        mesh: of the processes
    """
    from torch.distributed.fsdp import fully_shard

    fully_shard(module, mesh=mesh["data_parallel"])
    return module


def is_shared(tensor: Tensor) -> bool:
    """Whether each process holds a share of a tensor."""
    return hasattr(tensor, "device_mesh")


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, from the shares of all processes, which have to ask together."""
    if not is_shared(tensor):
        return tensor
    found: Tensor = cast(Any, tensor).full_tensor()
    return found


def whole_named(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All of each tensor by name, asked for in their order."""
    return {name: whole(tensor) for name, tensor in tensors.items()}


def local(tensor: Tensor) -> Tensor:
    """The share of this process, with the same memory."""
    if not is_shared(tensor):
        return tensor
    found: Tensor = cast(Any, tensor).to_local()
    return found


def dealt(tensor: Tensor, example: Tensor) -> Tensor:
    """A tensor that every process has, dealt out as the example is, if that is."""
    if not is_shared(example) or tensor.shape != example.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    shared: Any = example
    mesh, places = shared.device_mesh, shared.placements
    found: Tensor = distribute_tensor(tensor.to(example.device), mesh, places, src_data_rank=None)
    return found


def like(tensors: Mapping[str, Tensor], examples: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by name, each dealt out as the example of its name is; others stay as they are."""
    return {n: dealt(t, examples[n]) if n in examples else t for n, t in tensors.items()}


class Mirror:
    """A whole model beside weights that are dealt out, for all that is done by one process.

    Args:
        model: the whole one
        weights: dealt out, in the order of its parameters
    """

    def __init__(self, model: Model, weights: Sequence[Tensor]) -> None:
        self.model, self._weights = model, weights

    @torch.no_grad()
    def gather(self, source: nn.Module) -> None:
        """Bring the model up to date; all processes do so together.

        Args:
            source: whose buffers, which each process has, it takes
        """
        for mine, theirs in zip(self.model.parameters(), self._weights, strict=True):
            mine.copy_(whole(theirs))
        for kept, new in zip(self.model.buffers(), source.buffers(), strict=True):
            kept.copy_(new)
