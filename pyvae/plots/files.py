"""Pictures on disk, whole or not at all, and the figures they are drawn on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyvae.errors import optional

__all__ = ["Path_", "new_figure", "save_figure", "write_file"]

Path_ = str | os.PathLike[str]


def write_file(path: Path_, write: Callable[[Path], Any]) -> None:
    """Let ``write`` make a file beside ``path``, and give it that name once it is whole."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        write(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def new_figure(width: float = 7, height: float = 4.5) -> Any:
    """An empty figure of matplotlib's, of so many inches, that belongs to no window."""
    return optional("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")


def save_figure(path: Path_, figure: Any) -> None:
    """Write a figure as PNG."""
    write_file(path, lambda name: figure.savefig(name, format="png", dpi=120))
