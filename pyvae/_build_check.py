"""Whether the native library fits the torch that is running."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["fitting"]

REINSTALL = (
    "pip install --force-reinstall --no-deps --no-cache-dir --no-binary pyvae-fused pyvae-fused"
)


def fitting(built: Sequence[str], running: str) -> str:
    """Which of the torches that a library was built for stands for the one that is running.

    One does where major and minor version agree: torch keeps its C++ interface through patch
    releases, and what stands behind a ``+`` (cpu, cu130) changes nothing that pyvae uses. Versions
    before a release (dev, a, rc) must be the same. There is one C++ ABI: no torch of 2.11 or later
    is compiled with the old one of libstdc++. A library for another torch would fail later, with
    an undefined symbol. A wheel is for several torches; what is built here is for this one.

    Args:
        built: the versions of the torches that the library was built for
        running: the version of the torch that is imported

    Raises:
        ImportError: none fits; the message says how to build again.

    >>> fitting(["2.13.0+cpu", "2.14.1"], "2.13.1+cu130")
    '2.13.0+cpu'
    """
    for version in built:
        if _interface(version) == _interface(running):
            return version
    raise ImportError(
        f"pyvae was built against torch {_listed(built)}, but torch {running} is installed. Build "
        f"it again for this torch: {REINSTALL} (or `pip install .` in its source folder)."
    )


def _interface(version: str) -> str:
    """What two versions with one C++ interface have in common."""
    release = re.fullmatch(r"(\d+\.\d+)(\.\d+)*", version.partition("+")[0])
    return release[1] if release else version


def _listed(versions: Sequence[str]) -> str:
    *first, last = versions
    return f"{', '.join(first)} and {last}" if first else last
