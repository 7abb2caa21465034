"""Jobs: processes with a time limit, of which some run side by side."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lease.entries import BOOK, STAGE, Book, Entry, heard

ROOT = Path(__file__).resolve().parents[2]
SAID = 700  # characters of what a job said that are kept with its failure


def nothing(line: str) -> Entry | None:
    return None


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
        name: among the jobs of its stage
        command: None: it cannot run here
        environment: beside that of the session
        reads: a line of its output -> an entry, for programs that say none themselves
        telling: which lines say why it failed, the first of them; by default the last ones
        skipped: why it cannot run here
    """

    name: str
    command: list[str] | None
    environment: Mapping[str, str] = field(default_factory=dict)
    reads: Callable[[str], Entry | None] = nothing
    telling: re.Pattern[str] | None = None
    skipped: str = ""


@dataclass(frozen=True)
class Stage:
    """Jobs that run side by side, and the seconds that they have.

    Attributes:
        always: it runs in every session, for what it does is gone after it
    """

    name: str
    seconds: float
    jobs: list[Job]
    always: bool = False


class Running:
    """A job while it runs; its process and all that it started are one group."""

    def __init__(self, stage: str, job: Job, book: Book, log: TextIO) -> None:
        assert job.command is not None
        self.stage, self.job, self.book, self.log = stage, job, book, log
        self.lines: list[str] = []
        self.begun = time.monotonic()
        environment = {**os.environ, **job.environment, BOOK: str(book.path), STAGE: stage}
        self.process = subprocess.Popen(
            job.command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            entry = heard(line) or self.job.reads(line.rstrip("\n"))
            if entry is not None:
                self.book.add(self.stage, self.job.name, entry)
            else:
                self.lines.append(line)
            self.log.write(f"{self.stage}/{self.job.name}: {line}")
            self.log.flush()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def stop(self) -> None:
        """End the whole group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)

    def close(self, in_time: bool) -> None:
        """Write down how it ended."""
        self._reader.join(2)  # what it left running may hold the pipe
        seconds = round(time.monotonic() - self.begun, 1)
        facts: dict[str, Any] = {"seconds": seconds, "status": "passed"}
        if not in_time:
            facts = {"seconds": seconds, "status": "out of time"}
            self.book.add(self.stage, self.job.name, {"key": "cut", **facts})
            return
        if self.process.returncode:
            said = self._said()
            facts |= {"status": "failed", "failed": f"exit {self.process.returncode}: {said}"}
        self.book.add(self.stage, self.job.name, {"key": "end", **facts})

    def _said(self) -> str:
        if self.job.telling is not None:
            told = [line for line in self.lines if self.job.telling.search(line)]
            if told:
                return "".join(told)[:SAID]
        return "".join(self.lines[-12:])[-SAID:]


def run(stage: Stage, seconds: float, book: Book, log: TextIO) -> None:
    """Run the jobs of a stage that have not ended in an earlier session."""
    before = set() if stage.always else book.ended(stage.name)
    running = []
    for job in stage.jobs:
        if job.name in before:
            continue
        if job.command is None:
            book.add(stage.name, job.name, {"key": "end", "status": f"skipped: {job.skipped}"})
            continue
        try:
            running.append(Running(stage.name, job, book, log))
        except OSError as error:
            facts = {"key": "end", "status": "failed", "failed": str(error)}
            book.add(stage.name, job.name, facts)
    end = time.monotonic() + seconds
    while running:
        late = time.monotonic() >= end
        for one in [one for one in running if late or one.ended()]:
            in_time = one.ended()
            one.stop()
            one.close(in_time)
            running.remove(one)
        time.sleep(0.05)
