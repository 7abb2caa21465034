"""What a call launches on a device, from the profiler's own events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["launched", "launches_of"]

#: What the profiler records on a device that nobody launched.
_NO_WORK = ("Context Sync", "Stream Wait", "Event", "Lazy Function Loading")


def launches_of(
    call: Callable[[Any], object], argument: Any = None, device: str = "cpu"
) -> int | None:
    """Kernels, copies and fills that one call sends to the device; None on a CPU.

    >>> launches_of(lambda _: None)
    """
    if not device.startswith("cuda"):
        return None
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        call(argument)
        torch.cuda.synchronize()
    return launched(profiled.profiler.kineto_results.events())


def launched(events: Iterable[Any]) -> int:
    """How many of the profiler's events are work of the device."""
    return sum(
        event.device_type().name == "CUDA" and not event.name().startswith(_NO_WORK)
        for event in events
    )
