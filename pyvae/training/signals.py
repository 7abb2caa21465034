"""Ctrl-C as a request that is granted between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "StopRequest"]


class Interrupted(Exception):
    """Training stopped on a signal, after its state was saved.

    Args:
        number: the signal
        step: training steps done
    """

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"interrupted by signal {number} after {step} steps")
        self.number = number
        self.step = step


class StopRequest:
    """A context in which SIGINT and SIGTERM set ``signal``; a second one acts as usual.

    Outside of the main thread, where Python can set no handlers, nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.__exit__()
