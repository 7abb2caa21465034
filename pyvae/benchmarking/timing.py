"""Races: variants in an order shuffled anew in each round, so that all see the same machine."""

from __future__ import annotations

import functools
import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Timer", "Times", "Variant", "race", "timer_of"]


class Variant(NamedTuple):
    """What is timed.

    Attributes:
        run: takes what ``prepare`` gave; what it returns is freed before the clock stops.
        prepare: makes what one call needs afresh; not timed.
    """

    run: Callable[[Any], object]
    prepare: Callable[[], Any] = lambda: None


#: Runs a variant some times in a row -> seconds of one call.
Timer = Callable[[Variant, int], float]


@dataclass(frozen=True)
class Times:
    """Seconds of one call, of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.seconds) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high

    def summary(self) -> dict[str, float]:
        """Median, quartiles, fastest (microseconds), rounds: fit for JSON."""
        low, high = self.quartiles
        us = {"median": self.median, "lower": low, "upper": high, "min": min(self.seconds)}
        return {n: round(1e6 * t, 3) for n, t in us.items()} | {"rounds": len(self.seconds)}


def race(
    variants: Mapping[str, Variant],
    *,
    seconds: float = 3.0,
    min_rounds: int = 5,
    max_rounds: int = 20_000,
    warmup: int = 3,
    calls: int = 1,
    timer: Timer | None = None,
) -> dict[str, Times]:
    """Time the variants against each other.

    Args:
        variants: by name
        seconds: how long to go on, all variants together
        min_rounds, max_rounds: bounds on the rounds, whatever ``seconds`` says
        warmup: rounds that do not count
        calls: consecutive calls per turn, for calls much shorter than a switch between variants
        timer: how a turn is timed; by the clock, unless it is given

    >>> times = race({"sum": Variant(lambda _: sum(range(99)))}, seconds=0.01)
    >>> times["sum"].median > 0
    True
    """
    order = list(variants)
    timer = timer or by_clock
    shuffle = random.Random(0).shuffle
    measured: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(warmup):
        for variant in variants.values():
            variant.run(variant.prepare())
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        end = time.monotonic() + seconds
        for done in range(max_rounds):
            if done >= min_rounds and time.monotonic() >= end:
                break
            shuffle(order)
            for name in order:
                measured[name].append(timer(variants[name], calls))
    finally:
        if enabled:
            gc.enable()
    return {name: Times(tuple(taken)) for name, taken in measured.items()}


def by_clock(variant: Variant, calls: int) -> float:
    """Seconds of a call that is over when it returns."""
    prepared = [variant.prepare() for _ in range(calls)]
    run = variant.run
    begun = time.perf_counter()
    for one in prepared:
        run(one)
    return (time.perf_counter() - begun) / calls


def by_cuda_events(variant: Variant, calls: int) -> float:
    """Seconds on the device, from its own events.

    The device first writes more than its cache holds, and then waits for as long as the host needs
    to enqueue the calls: what is timed begins cold and does not wait for the host.
    """
    import torch

    prepared = [variant.prepare() for _ in range(calls)]
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    _flush_buffer().zero_()
    torch.cuda._sleep(2_000_000 * calls)
    begin.record()
    for one in prepared:
        variant.run(one)
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / calls


@functools.cache
def _flush_buffer() -> Any:
    import torch

    cache = torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
    return torch.empty(4 * cache, dtype=torch.uint8, device="cuda")


def timer_of(device: str) -> Timer:
    """How calls are timed whose tensors lie there."""
    return by_cuda_events if device.startswith("cuda") else by_clock
