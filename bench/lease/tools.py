"""Where CUDA's tools are."""

from __future__ import annotations

import shutil
from pathlib import Path

#: Folders that are not always on the path, the newest of several last.
PLACES = ("opt/nvidia/nsight-compute/*", "usr/local/cuda*/bin")


def find_tool(name: str, root: Path = Path("/")) -> str | None:
    """The tool on the path, or where NVIDIA's installers put it."""
    if found := shutil.which(name):
        return found
    paths = [str(p) for place in PLACES for p in sorted(root.glob(f"{place}/{name}"))]
    return paths[-1] if paths else None
