"""What a call allocates, from the allocator's own events."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # the profiler is chatty on standard error

__all__ = ["Memory", "memory_of"]


class Memory(NamedTuple):
    """Bytes.

    Attributes:
        kept: of what the call returns.
        extra: at the peak, beyond that.
    """

    kept: int
    extra: int


def memory_of(call: Callable[[Any], object], argument: Any = None, device: str = "cpu") -> Memory:
    """Bytes of tensors that one call allocates on the device, while its result is held.

    >>> import torch
    >>> x = torch.zeros(1000)
    >>> memory_of(lambda _: (x + x) + x).kept
    4000
    """
    if device.startswith("cuda"):
        return _on_cuda(call, argument)
    from torch.profiler import ProfilerActivity, profile

    gc.collect()  # what was allocated before is not to be freed within
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        held = call(argument)
    events = profiled.profiler.kineto_results.events()
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    now = peak = 0
    for _, change in sorted(changes, key=lambda item: item[0]):
        now += change
        peak = max(peak, now)
    del held
    return Memory(now, peak - now)


def _on_cuda(call: Callable[[Any], object], argument: Any) -> Memory:
    import torch

    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    held = call(argument)
    torch.cuda.synchronize()
    kept = torch.cuda.memory_allocated() - before
    peak = torch.cuda.max_memory_allocated() - before
    del held
    return Memory(kept, peak - kept)
