"""How far training is, for people."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from pyvae.errors import optional

__all__ = ["Progress", "clock", "in_notebook"]

Row = Mapping[str, float]

BOUNDS = ("/elbo", "/bound", "/log_likelihood")
REST = 44  # columns of a bar without figures: steps, time left, rate, and some of the bar itself


class Progress:
    """A bar on a terminal or in a notebook, figures first; elsewhere a line every so often.

    Args:
        total: steps in all
        done: steps done already
        stream: where it goes; default: standard error
        quiet: show nothing
        every: seconds between two lines where there is no terminal
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        every: float = 30.0,
    ) -> None:
        self._stream = None if quiet else stream or sys.stderr
        self._total, self._done, self._now = total, done, done
        self._every, self._figures = every, ""
        self._held_out: dict[str, float] = {}
        self._begun = time.monotonic()
        self._next_line = self._begun + every / 6  # the first one sooner
        self._bar: Any = None
        if self._stream is not None and (self._stream.isatty() or in_notebook()):
            self._bar = optional("tqdm.auto").tqdm(
                total=total,
                initial=done,
                file=self._stream,
                mininterval=0.1,
                dynamic_ncols=True,
                unit=" steps",
                bar_format="{n_fmt}/{total_fmt}{postfix}, {remaining} left, {rate_fmt} |{bar}|",
            )

    def step(self) -> None:
        """A step is done; draws at most 10 times a second."""
        self._now += 1
        if self._bar is not None:
            self._safely(self._bar.update)
        elif self._stream is not None and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self._every
            self._safely(self._line)

    def show(self, row: Row) -> None:
        """Tell the numbers of a row: bounds in training and on held-out data, then the terms."""
        bounds = {name: value for name, value in row.items() if name.endswith(BOUNDS)}
        if not any(name.startswith("train") for name in bounds):
            bounds |= {n: value for n, value in row.items() if n.startswith("train/loss")}
        held_out = {name: value for name, value in bounds.items() if not name.startswith("train")}
        self._held_out |= held_out
        shown = {**{n: v for n, v in bounds.items() if n not in held_out}, **self._held_out}
        self._figures = ", ".join(f"{_told(name)} {value:.4g}" for name, value in shown.items())
        if self._bar is not None:
            terms = {n: v for n, v in row.items() if n.startswith("train/") and n not in shown}
            first = dict(list(reversed(shown.items()))[:2])
            self._bar.set_postfix_str(_fitting({**first, **terms}, least=len(first)), refresh=False)

    def close(self) -> None:
        """Leave the bar as it is; without a terminal, say once more where training is."""
        if self._bar is not None:
            self._safely(self._bar.close)
        elif self._stream is not None and self._next_line > self._begun + self._every:
            self._safely(self._line)

    def _line(self) -> None:
        spent = time.monotonic() - self._begun
        left = spent / max(self._now - self._done, 1) * (self._total - self._now)
        rate = (self._now - self._done) / spent if spent > 0 else 0.0
        text = f"step {self._now}/{self._total}"
        if self._figures:
            text += f": {self._figures}"
        print(
            f"{text}; {rate:.3g} steps/s, {clock(spent)} so far, {clock(left)} left",
            file=self._stream,
            flush=True,
        )

    def _safely(self, draw: Callable[[], object]) -> None:
        """A terminal that was closed, or a reader that has gone, does not end training."""
        try:
            draw()
        except (OSError, ValueError):
            self._bar = self._stream = None


def _told(name: str) -> str:
    return name.replace("/", " ").replace("_", "-")


def _fitting(figures: Mapping[str, float], least: int) -> str:
    """As many figures as the terminal has room for beside the rest of the bar."""
    room = shutil.get_terminal_size().columns - REST
    text = ""
    for number, (name, value) in enumerate(figures.items()):
        longer = f"{text}, {_told(name)} {value:.4g}" if text else f"{_told(name)} {value:.4g}"
        if number >= least and len(longer) > room:
            break
        text = longer
    return text


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook: no terminal, but it can show bars and pictures."""
    kernel: Any = sys.modules.get("ipykernel.zmqshell")
    interactive: Any = sys.modules.get("IPython")
    if kernel is None or interactive is None:
        return False
    return isinstance(interactive.get_ipython(), kernel.ZMQInteractiveShell)


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, from an hour on with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
