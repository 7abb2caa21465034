"""When to save: often enough to lose little, seldom enough to cost little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SaveClock"]

LONGEST = 30.0  # seconds between two saves, at most
SHARE = 0.02  # of the time, at most, is spent on saving


class SaveClock:
    """Says when a save is due: after 30 s, or sooner where saves take little of the time."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._cost = SHARE  # before the first save is timed: one second

    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() - self._last > min(LONGEST, self._cost / SHARE)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Within, a save takes place."""
        begun = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - begun
