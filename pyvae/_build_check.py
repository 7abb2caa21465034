"""Whether the native library fits the torch that is running."""

from __future__ import annotations

import re

__all__ = ["check_build"]

REINSTALL = (
    "pip install --force-reinstall --no-deps --no-cache-dir --no-binary pyvae-fused pyvae-fused"
)


def check_build(built: str, running: str) -> None:
    """Raise ImportError unless a library built for one torch can be loaded beside another.

    It can be where major and minor version agree: torch keeps its C++ interface through patch
    releases, and what stands behind a ``+`` (cpu, cu130) changes nothing that pyvae uses. Versions
    before a release (dev, a, rc) must be the same. There is one C++ ABI: no torch of 2.11 or later
    is compiled with the old one of libstdc++. A library for another torch would fail later, with
    an undefined symbol. A wheel is for one torch; what is built here is for this one.

    Args:
        built: the version of the torch that the library was built for
        running: the version of the torch that is imported

    Raises:
        ImportError: they do not fit; the message says how to build again.

    >>> check_build("2.13.0+cpu", "2.13.1+cu130")
    """
    if _interface(built) != _interface(running):
        raise ImportError(
            f"pyvae was built against torch {built}, but torch {running} is installed. Build it "
            f"again for this torch: {REINSTALL} (or `pip install .` in its source folder)."
        )


def _interface(version: str) -> str:
    """What two versions with one C++ interface have in common."""
    release = re.fullmatch(r"(\d+\.\d+)(\.\d+)*", version.partition("+")[0])
    return release[1] if release else version
