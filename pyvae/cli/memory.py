"""Settings of the process that an application may make and a library may not."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_big_buffers"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def keep_big_buffers() -> None:
    """Let glibc keep big freed buffers instead of handing them back to the kernel at each step.

    Fresh pages cost more than arithmetic: a step on large batches is up to twice as fast with this.
    Elsewhere than on Linux with glibc nothing happens.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for size in (2**30, 2**25):  # older releases of glibc refuse more than 32 MiB
        if mallopt(_M_MMAP_THRESHOLD, size):
            break
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
