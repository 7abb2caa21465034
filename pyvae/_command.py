"""Where this process is the command ``pyvae``: what it imports, and Ctrl-C meanwhile.

Imports nothing of the library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType

__all__ = ["started", "starting"]


def starting() -> bool:
    """Whether this process is the command ``pyvae``; there, Ctrl-C ends it without a traceback.

    The command knows what it has been asked for before it imports torch, which takes a second or
    two in which nothing has begun that could be saved. In any other process nothing is changed.
    """
    if not _is_command():
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, _leave)
    return True


def started() -> None:
    """Ctrl-C raises KeyboardInterrupt again, as everywhere in Python."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    if name != "-m":
        return name in ("pyvae", "pyvae.exe")
    # "-m" stands there while ``python -m`` imports the package of the module that it will run
    words = sys.orig_argv
    return "-m" in words[:-1] and words[words.index("-m") + 1] == "pyvae"


def _leave(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"pyvae: interrupted\n")
    os._exit(130)
