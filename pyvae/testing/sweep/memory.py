"""An op allocates its results, its gradients, and a little scratch: nothing expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from pyvae.testing import OpCase, outputs

__all__ = [
    "test_forward_and_backward_allocate_their_results",
]

SLACK = 64 * 1024  # numbers for each row, seeds, and the like


def allocated(call: Callable[[], Any]) -> int:
    """Bytes that a call takes from torch's CPU allocator, freed again or not."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        kept = call()
    events = recorded.profiler.kineto_results.events()
    total: int = sum(e.nbytes() for e in events if e.name() == "[memory]" and e.nbytes() > 0)
    del kept
    return total


def size(tensors: Iterable[Tensor]) -> int:
    return sum(t.untyped_storage().nbytes() for t in tensors)


BIG = {"components": 300, "samples": 4, "batch": 500, "event": 784, "latent": 784, "classes": 6}


def backward(
    results: Tensor | Sequence[Tensor],
    leaves: Tensor | Sequence[Tensor],
    incoming: Tensor | Sequence[Tensor],
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(results, leaves, incoming)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_forward_and_backward_allocate_their_results(case: OpCase, dtype: torch.dtype) -> None:
    sizes = [BIG[s] for s in case.sizes]
    plain = case.inputs(*sizes, dtype=dtype)
    case(plain)  # what is made once at first use
    results = outputs(case(plain))
    assert allocated(lambda: case(plain)) <= size(results) + SLACK

    inputs = case.inputs(*sizes, dtype=dtype, requires_grad=case.learned)
    leaves = [inputs[n] for n in case.learned]
    incoming = [torch.ones_like(r) for r in results]
    whole = allocated(lambda: backward(outputs(case(inputs)), leaves, incoming))
    rows = 64 * BIG["batch"] * BIG["samples"]
    assert whole <= size(results) + size(leaves) + SLACK + rows
