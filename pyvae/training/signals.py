"""Signals to stop as a request that is granted between two steps."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "StopRequest"]

#: Ctrl-C, a request to end, and a terminal that was closed (which Windows does not have).
SIGNALS = [n for n in signal.Signals if n.name in ("SIGINT", "SIGTERM", "SIGHUP")]


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
    """A context in which signals to stop set ``signal``; those that follow change nothing.

    A second Ctrl-C cannot cut short what the first one made be saved. Outside of the main thread,
    where Python can set no handlers, nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
        else:
            with contextlib.suppress(OSError):
                os.write(2, b"pyvae: stopping, once this step is done and saved\n")
