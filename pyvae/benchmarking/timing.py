"""Races: variants in an order shuffled anew in each round, so that all see the same machine."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Times", "Variant", "race"]


class Variant(NamedTuple):
    """What is timed.

    Attributes:
        run: takes what ``prepare`` gave; what it returns is freed before the clock stops.
        prepare: makes what one call needs afresh; not timed.
    """

    run: Callable[[Any], object]
    prepare: Callable[[], Any] = lambda: None


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
    synchronize: Callable[[], None] | None = None,
) -> dict[str, Times]:
    """Time the variants against each other.

    Args:
        variants: by name
        seconds: how long to go on, all variants together
        min_rounds, max_rounds: bounds on the rounds, whatever ``seconds`` says
        warmup: rounds that do not count
        calls: consecutive calls per turn, for calls much shorter than a switch between variants
        synchronize: waits for the device before each look at the clock

    >>> times = race({"sum": Variant(lambda _: sum(range(99)))}, seconds=0.01)
    >>> times["sum"].median > 0
    True
    """
    order = list(variants)
    wait = synchronize or (lambda: None)
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
                measured[name].append(_turn(variants[name], calls, wait))
    finally:
        if enabled:
            gc.enable()
    return {name: Times(tuple(taken)) for name, taken in measured.items()}


def _turn(variant: Variant, calls: int, wait: Callable[[], None]) -> float:
    prepared = [variant.prepare() for _ in range(calls)]
    run = variant.run
    wait()
    begun = time.perf_counter()
    for one in prepared:
        run(one)
    wait()
    return (time.perf_counter() - begun) / calls
