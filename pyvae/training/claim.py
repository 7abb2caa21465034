"""A folder that one process makes and fills, and that others see whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pyvae.errors import RunError
from pyvae.training.lock import LOCK, FolderLock, writer_of

__all__ = ["TakenError", "claim", "free_names"]

Fill = Callable[[Path], None]
LAST = "train.json"  # the file that makes a folder a run


class TakenError(RunError):
    """There is something under this name already."""

    @classmethod
    def of(cls, path: Path, what: str = "exists", ways: str = "") -> TakenError:
        """The error of a path, with who is writing there."""
        writer = writer_of(path)
        written = f", and is being written by {writer}" if writer else ""
        return cls(f"{path} {what}{written}; choose another --out{ways}")


def free_names(stem: str) -> Iterator[Path]:
    """``stem``, ``stem-2``, ``stem-3``, ...: those of them that do not exist."""
    for number in itertools.count(1):
        path = Path(stem if number == 1 else f"{stem}-{number}")
        if not os.path.lexists(path):
            yield path


def claim(path: Path, fill: Fill, replaceable: Callable[[], None] | None = None) -> FolderLock:
    """Make a folder, filled and locked.

    Args:
        path: the folder; of a link, what it leads to
        fill: writes what belongs into the folder that it is given
        replaceable: raises if what is under the name must not be replaced; None: nothing may be

    Raises:
        TakenError: there is something under the name.
        RunError: what is there is being written by another process.
        OSError: it cannot be written; nothing is left behind.
    """
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not any(place.iterdir()):
        return _in_place(place, path, fill)
    return _moved_in(place, path, fill, replaceable)


def _in_place(place: Path, path: Path, fill: Fill) -> FolderLock:
    """An empty folder stays the one it is: it may be a mount point."""
    lock = FolderLock(place)
    lock.acquire()
    temporary, placed = None, []
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".pyvae-", dir=place))
        fill(temporary)
        if {file.name for file in place.iterdir()} != {LOCK, temporary.name}:
            raise TakenError.of(path)
        for file in sorted(temporary.iterdir(), key=lambda file: file.name == LAST):
            os.rename(file, place / file.name)
            placed.append(place / file.name)
        return lock
    except BaseException:
        for file in placed:  # and nothing that is not ours
            file.unlink(missing_ok=True)
        lock.release()
        raise
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _moved_in(
    place: Path, path: Path, fill: Fill, replaceable: Callable[[], None] | None
) -> FolderLock:
    """A folder beside it is filled and takes the name in one step."""
    temporary = Path(tempfile.mkdtemp(prefix=".pyvae-", dir=place.parent))
    lock, before = FolderLock(temporary), temporary / "before"
    made = False
    try:
        temporary.chmod(0o755)
        lock.acquire()
        fill(temporary)
        if replaceable is not None and place.is_dir():
            replaceable()
            _set_aside(place, before)
        try:
            os.rename(temporary, place)
        except OSError as error:
            if os.path.lexists(place):
                raise TakenError.of(path) from error
            raise
        made = True
        lock.moved(place)
        shutil.rmtree(place / before.name, ignore_errors=True)
        return lock
    finally:
        if not made:
            with contextlib.suppress(OSError):
                os.rename(before, place)  # the run that was to be replaced comes back
            lock.release()
            if not before.exists():
                shutil.rmtree(temporary, ignore_errors=True)


def _set_aside(place: Path, before: Path) -> None:
    """Move a run away, unless it is being written."""
    lock = FolderLock(place)
    lock.acquire()
    try:
        os.rename(place, before)
        lock.moved(before)
    finally:
        lock.release()
