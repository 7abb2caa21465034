"""Ctrl-C while the command is still importing. Imports nothing of the library."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["started", "starting"]


def starting() -> None:
    """Where this process is the command ``pyvae``, let Ctrl-C end it without a traceback.

    Importing torch takes a second or two, in which nothing has begun that could be saved. In any
    other process nothing is changed.
    """
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    # "-m" stands there while ``python -m pyvae`` imports the package
    if name in ("-m", "pyvae", "pyvae.exe") and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        try:
            signal.signal(signal.SIGINT, _leave)
        except ValueError:  # not in the main thread
            return


def started() -> None:
    """Ctrl-C raises KeyboardInterrupt again, as everywhere in Python."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"pyvae: interrupted\n")
    os._exit(130)
