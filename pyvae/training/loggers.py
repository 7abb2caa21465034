"""Where the numbers go: a CSV file, TensorBoard, a progress bar."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pyvae.errors import optional

__all__ = ["CsvLog", "Progress", "TensorBoardLog"]

Row = Mapping[str, float]


class CsvLog:
    """Rows of named numbers; a column that is new widens the file.

    Args:
        path: the file; rows that it holds are kept
        last_step: rows after this step are dropped (a run resumed from an earlier checkpoint)
    """

    def __init__(self, path: Path, last_step: int) -> None:
        self.path = path
        self.columns: list[str] = []
        old: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                old = [row for row in reader if row["step"] and int(row["step"]) <= last_step]
                self.columns = list(reader.fieldnames or [])
            self._rewrite(old)

    def write(self, row: Row) -> None:
        """Append one row, at once."""
        new = [name for name in row if name not in self.columns]
        if new:
            old: list[dict[str, str]] = []
            if self.path.is_file():
                with self.path.open(newline="", encoding="utf-8") as file:
                    old = list(csv.DictReader(file))
            self.columns += new
            self._rewrite(old)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, restval="").writerow(row)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(temporary, self.path)


class TensorBoardLog:
    """TensorBoard's event files.

    Args:
        folder: where they lie
        last_step: events after this step are hidden
    """

    def __init__(self, folder: Path, last_step: int) -> None:
        optional("tensorboard")
        writer = optional("torch.utils.tensorboard").SummaryWriter
        self._writer: Any = writer(str(folder), purge_step=last_step + 1, flush_secs=30)

    def write(self, row: Row) -> None:
        """Add one row of scalars at its step."""
        for name, value in row.items():
            if "/" in name or name == "lr":
                self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write out what is pending."""
        self._writer.close()


class Progress:
    """A bar on a terminal; elsewhere a line now and then.

    Args:
        total: steps in all
        done: steps done already
        stream: where it goes; default: standard error
        quiet: show nothing
    """

    def __init__(
        self, total: int, done: int = 0, *, stream: TextIO | None = None, quiet: bool = False
    ) -> None:
        stream = stream or sys.stderr
        self._terminal = stream.isatty() and not quiet
        self._stream = None if quiet else stream
        self._total = total
        self._next_line = time.monotonic() + 5.0
        self._bar: Any = optional("tqdm").tqdm(
            total=total,
            initial=done,
            unit="step",
            file=stream,
            mininterval=0.1,
            dynamic_ncols=True,
            disable=not self._terminal,
        )
        self.step = self._bar.update  #: called once for each step; draws at most 10 times a second

    def show(self, row: Row) -> None:
        """Tell the numbers of a row."""
        text = ", ".join(
            f"{n} {v:.4g}" for n, v in row.items() if n.endswith(("elbo", "likelihood"))
        )
        if self._terminal:
            self._bar.set_postfix_str(text, refresh=False)
        elif self._stream is not None and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + 5.0
            print(f"step {int(row['step'])}/{self._total}: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
