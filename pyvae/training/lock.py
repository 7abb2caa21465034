"""One writer for a run folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from pathlib import Path

from pyvae.errors import RunError

try:
    import fcntl
except ImportError:  # a system without them: folders are claimed there, but not locked
    fcntl = None  # type: ignore[assignment]

__all__ = ["FolderLock", "writer_of"]

LOCK = "lock"


def writer_of(folder: Path) -> str | None:
    """Who is writing a folder, in words; None if nobody is."""
    lock = FolderLock(folder)
    try:
        handle = os.open(lock.path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _lock(handle) else lock.holder()
    finally:
        os.close(handle)


class FolderLock:
    """A lock that the system gives back when its process ends, however that happens.

    Args:
        folder: whose file ``lock`` is locked, and says who holds it; it is gone afterwards
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunError: another process has it; the message says which.
            OSError: the folder cannot be written.
        """
        while self._handle is None:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if not _lock(handle):
                    raise RunError(f"{self.path.parent} is being written by {self.holder()}")
                # who held it before may have taken the file away after we had opened it
                if _same_file(handle, self.path):
                    self._handle = handle
                    _write_holder(handle)
            finally:
                if self._handle is None:
                    os.close(handle)

    @property
    def held(self) -> bool:
        """Whether it is ours, and its file still where it was taken."""
        return self._handle is not None and _same_file(self._handle, self.path)

    def moved(self, folder: Path) -> None:
        """The folder has another name now; the lock stays."""
        self.path = folder / LOCK

    def release(self) -> None:
        """Give it back."""
        if self._handle is not None:
            if _same_file(self._handle, self.path):
                with contextlib.suppress(OSError):
                    self.path.unlink()
            os.close(self._handle)
            self._handle = None

    def holder(self) -> str:
        """Who holds the lock, in words."""
        try:
            facts = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {facts['process']} on {facts['host']}, since {facts['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _lock(handle: int) -> bool:
    """Whether the lock is ours now; where files cannot be locked it is."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)
    return True


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _write_holder(handle: int) -> None:
    facts = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.truncate(handle, 0)
    os.write(handle, json.dumps(facts).encode())
