"""What a session finds out: one line of JSON for each thing, written when it is known.

A job says an entry on its standard output; the session puts down which stage and job it came from.
Nothing is kept in memory alone, so that what was found is there however a session ends.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
#: How a line begins that is an entry, among those that are only to be read.
MARK = "@entry "
#: Tell a job where the book is, and which stage it belongs to.
BOOK, STAGE = "PYVAE_LEASE_BOOK", "PYVAE_LEASE_STAGE"


def tell(key: str, **facts: Any) -> None:
    """Say what came of one thing; ``failed`` among the facts says that it went wrong, and how."""
    print(MARK + json.dumps({"key": key, **facts}), flush=True)


def heard(line: str) -> Entry | None:
    """The entry that a line is."""
    if not line.startswith(MARK):
        return None
    try:
        entry = json.loads(line[len(MARK) :])
    except ValueError:  # cut short, as its job was
        return None
    return entry if isinstance(entry, dict) else None


def already() -> set[str]:
    """The keys that an earlier session told in the stage of this job."""
    path, stage = os.environ.get(BOOK), os.environ.get(STAGE)
    if path is None or stage is None:
        return set()
    return {entry["key"] for entry in Book(Path(path)).entries if entry["stage"] == stage}


class Book:
    """The file of all entries."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.entries: list[Entry] = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    self.entries.append(json.loads(line))
                except ValueError:  # the last one, half written
                    continue

    def add(self, stage: str, job: str, entry: Entry) -> None:
        """Write an entry down at once."""
        whole = {"stage": stage, "job": job, **entry}
        with self._lock:
            self.entries.append(whole)
            with self.path.open("a") as file:
                file.write(json.dumps(whole) + "\n")

    def forget(self, stages: list[str]) -> None:
        """Leave out what is known of some stages."""
        with self._lock:
            self.entries = [entry for entry in self.entries if entry["stage"] not in stages]
            text = "".join(json.dumps(entry) + "\n" for entry in self.entries)
            new = self.path.with_suffix(".new")
            new.write_text(text)
            new.replace(self.path)

    def latest(self) -> list[Entry]:
        """What was last said of each thing, in the order in which they were first heard of."""
        found: dict[tuple[str, str, str], Entry] = {}
        for entry in self.entries:
            found[entry["stage"], entry["job"], entry["key"]] = entry
        return list(found.values())

    def ended(self, stage: str) -> set[str]:
        """The jobs of a stage that came to their end by themselves."""
        return {e["job"] for e in self.entries if e["stage"] == stage and e["key"] == "end"}
