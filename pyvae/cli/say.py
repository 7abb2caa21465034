"""What is told besides the result, on standard error."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["note", "tell"]


def tell(text: str) -> None:
    """One line on standard error; a terminal that was closed does no harm."""
    with contextlib.suppress(OSError, ValueError):
        print(f"pyvae: {text}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Something to know that is no error."""
    tell(f"note: {text}")
