"""All places that the rows of a run go to, as one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pyvae.config import TrainConfig
from pyvae.training.loggers import CsvLog, TensorBoardLog
from pyvae.training.trackers import TRACKERS

__all__ = ["Log", "Records"]

Row = Mapping[str, float]


class Log(Protocol):
    """Where rows of named numbers go."""

    def write(self, row: Row) -> None:
        """Take one row: its ``step`` and figures."""

    def close(self) -> None:
        """Hand over what is pending."""


class Records:
    """The logs of a run, one after the other.

    A tracker that fails on the way (its server does not answer, say) is left out from then on, with
    a sentence: training goes on.

    Args:
        config: the settings, which name the trackers
        folder: where ``metrics.csv`` and TensorBoard's events are written; None: nowhere
        step: the step that the run goes on from: what was recorded later is dropped
        more: logs besides
    """

    def __init__(
        self, config: TrainConfig, folder: Path | None, step: int, more: Sequence[Log] = ()
    ) -> None:
        self._logs: list[Log] = []
        self._trackers: dict[str, Log] = {}
        try:
            if folder is not None:
                self._logs.append(CsvLog(folder / "metrics.csv", step))
                self._logs.append(TensorBoardLog(folder, step))
                for name in config.log:
                    self._trackers[name] = TRACKERS[name](config, folder)
            self._logs += more
        except BaseException:
            self.close()
            raise

    def write(self, row: Row) -> None:
        """One row to each of them."""
        for log in self._logs:
            log.write(row)
        for name, tracker in list(self._trackers.items()):
            try:
                tracker.write(row)
            except Exception as error:
                del self._trackers[name]
                self._failed(name, error)

    def close(self) -> None:
        """Close all of them, whatever one of them raises."""
        with contextlib.ExitStack() as stack:
            for log in self._logs:
                stack.callback(log.close)
            for name, tracker in self._trackers.items():
                try:
                    tracker.close()
                except Exception as error:
                    self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        with contextlib.suppress(OSError, ValueError):
            said = " ".join(str(error).split())
            print(f"pyvae: warning: no more records for {name}: {said}", file=sys.stderr)
