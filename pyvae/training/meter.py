"""How far a piece of work beside training is, for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pyvae.errors import optional
from pyvae.training.progress import clock, in_notebook

__all__ = ["meter"]

PATIENCE = 3.0  # seconds after which a bar appears


@contextmanager
def meter(
    what: str, total: int, *, stream: TextIO | None = None, quiet: bool = False, every: float = 30.0
) -> Iterator[Callable[[int], None]]:
    """Within, tells how much of some work is done, if it takes more than a few seconds.

    On a terminal or in a notebook it is a bar, elsewhere a line every so often.

    Args:
        what: the work, such as "evaluating 1000 data"
        total: the number of its parts
        stream: where it goes; default: standard error
        quiet: show nothing
        every: seconds between two lines where there is no terminal

    Yields:
        A function that is called after each piece of the work with the number of its parts.

    >>> with meter("counting", 10, quiet=True) as tick:
    ...     for _ in range(5):
    ...         tick(2)
    """
    out = stream or sys.stderr
    if quiet:
        yield lambda parts: None
    elif out.isatty() or in_notebook():
        with _bar(what, total, out) as tick:
            yield tick
    else:
        yield _Lines(what, total, out, every)


@contextmanager
def _bar(what: str, total: int, stream: TextIO) -> Iterator[Callable[[int], None]]:
    bar: Any = optional("tqdm.auto").tqdm(
        total=total,
        file=stream,
        delay=PATIENCE,
        leave=False,
        dynamic_ncols=True,
        bar_format="{desc}: {percentage:.0f} %, {remaining} left |{bar}|",
        desc=what,
    )

    def tick(parts: int) -> None:
        try:
            bar.update(parts)
        except (OSError, ValueError):  # a terminal that was closed
            bar.disable = True

    try:
        yield tick
    finally:
        try:
            bar.close()
        except (OSError, ValueError):
            bar.disable = True


class _Lines:
    def __init__(self, what: str, total: int, stream: TextIO, every: float) -> None:
        self.what, self.total, self.stream, self.every = what, total, stream, every
        self.done = 0
        self.begun = time.monotonic()
        self.next = self.begun + every / 3  # the first one sooner

    def __call__(self, parts: int) -> None:
        self.done += parts
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + self.every
        spent = now - self.begun
        left = spent / self.done * (self.total - self.done)
        share = f"{100 * self.done / self.total:.0f} %"
        text = f"{self.what}: {share}; {clock(spent)} so far, {clock(left)} left"
        try:
            print(text, file=self.stream, flush=True)
        except (OSError, ValueError):  # a reader that has gone
            self.next = float("inf")
