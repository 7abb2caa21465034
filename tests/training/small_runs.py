"""A run of six steps: as arguments, as a process's environment, and what its folder holds."""

from __future__ import annotations

import os
from pathlib import Path

import pyvae

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "6", "--eval-samples", "0"]
HOME = str(Path(pyvae.__file__).parents[1])
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": HOME}


def files(folder: Path) -> dict[str, bytes]:
    """The content of each file, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
