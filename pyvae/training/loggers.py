"""Where the numbers go: a CSV file, TensorBoard."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyvae.errors import RunError, optional
from pyvae.storage import write_whole

__all__ = ["CsvLog", "TensorBoardLog", "read_rows"]

Row = Mapping[str, float]


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a file of metrics; none where there is no file.

    Raises:
        RunError: it holds something else.
    """
    if not path.is_file():
        return [], []
    try:
        text = path.read_bytes().decode()
        whole, newline, _ = text.rpartition("\n")  # a last line may have been cut short
        if text and not newline:
            raise ValueError("it has no line that is whole")
        reader = csv.DictReader(io.StringIO(whole + newline, newline=""))
        columns = list(reader.fieldnames or [])
        rows = [{name: row[name] or "" for name in columns} for row in reader]
        if columns and "step" not in columns:
            raise ValueError("it has no column 'step'")
        for number, row in enumerate(rows, start=2):
            if not row["step"].isdecimal():
                raise ValueError(f"its line {number} has the step {row['step'][:20]!r}")
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(
            f"{path} is damaged: {error}; move it away to go on without the curves so far"
        ) from error
    return columns, rows


class CsvLog:
    """Rows of named numbers; a column that is new widens the file.

    Args:
        path: the file; rows that it holds are kept
        last_step: rows after this step are dropped (a run resumed from an earlier checkpoint)

    Raises:
        RunError: the file holds something else.
    """

    def __init__(self, path: Path, last_step: int) -> None:
        self.path = path
        self.columns, old = read_rows(path)
        if self.columns:
            self._rewrite([row for row in old if int(row["step"]) <= last_step])

    def write(self, row: Row) -> None:
        """Append one row, at once."""
        new = [name for name in row if name not in self.columns]
        if new:
            _, old = read_rows(self.path)
            self.columns += new
            self._rewrite(old)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, restval="").writerow(row)

    def close(self) -> None:
        """Nothing is pending: each row is written at once."""

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path, text.getvalue().encode())


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
        self._hook = threading.excepthook
        threading.excepthook = self._thread_failed

    def write(self, row: Row) -> None:
        """Add one row of scalars at its step."""
        for name, value in row.items():
            if "/" in name or name == "lr":
                self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write out what is pending."""
        try:
            self._writer.close()
        finally:
            threading.excepthook = self._hook

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        """An error of the writer's thread is raised by the next ``write``: once is enough."""
        tensorboards = type(failed.thread).__module__.startswith("tensorboard")
        if not (tensorboards and issubclass(failed.exc_type, OSError)):
            self._hook(failed)
