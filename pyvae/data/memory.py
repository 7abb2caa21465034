"""How much memory there is, and whether data fit into it before they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pyvae.errors import DataError

__all__ = ["available_memory", "check_memory", "fits", "readable"]

_SLACK = 1.25  # what a process needs beside its data
_CGROUP = Path("/sys/fs/cgroup")  # of a container or a batch system
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def available_memory() -> int | None:
    """Bytes that this process may still take, or None where the system does not say.

    The least of what the machine has free (its whole memory where that alone is known), what the
    control group leaves, and what ``ulimit -v`` leaves.
    """
    return min(_limits(), default=None)


def check_memory(needed: int, where: str, what: str) -> None:
    """Raise DataError if ``needed`` bytes are more than there are.

    Args:
        needed: bytes
        where: the file and the item, for the message
        what: what takes them, for the message
    """
    available = available_memory()
    if available is not None and needed > available:
        raise DataError(
            f"{where}: {what} would take {readable(needed)} of memory, and "
            f"{readable(available)} are available"
        )


def fits(needed: int) -> bool:
    """Whether data of so many bytes can be held, with what a process needs beside them."""
    available = available_memory()
    return available is None or _SLACK * needed <= available


def readable(size: float) -> str:
    """A number of bytes in the unit that suits it.

    >>> readable(12_345_678)
    '12.3 MB'
    """
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"


def _limits() -> Iterator[int]:
    free = _field("/proc/meminfo", "MemAvailable")
    if free is not None:
        yield 1024 * free
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit, used = ((_CGROUP / f"memory.{name}").read_text() for name in ("max", "current"))
        yield max(int(limit) - int(used), 0)
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        pass
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit_of_addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    taken = _field("/proc/self/status", "VmSize")
    if limit_of_addresses != resource.RLIM_INFINITY and taken is not None:
        yield max(limit_of_addresses - 1024 * taken, 0)


def _field(path: str, name: str) -> int | None:
    """The number (of kB) behind a name in a file of /proc."""
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return None
