"""Pictures on disk, whole or not at all, and the figures they are drawn on."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pyvae.errors import optional
from pyvae.storage import write_whole

__all__ = ["Path_", "new_figure", "save_figure", "write_file"]

Path_ = str | os.PathLike[str]


def write_file(path: Path_, write: Callable[[BinaryIO], Any]) -> None:
    """Write what ``write`` puts into a file in memory."""
    content = io.BytesIO()
    write(content)
    write_whole(Path(path), content.getvalue())


def new_figure(width: float = 7, height: float = 4.5) -> Any:
    """An empty figure of matplotlib's, of so many inches, that belongs to no window."""
    return optional("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")


def save_figure(path: Path_, figure: Any) -> None:
    """Write a figure as PNG."""
    write_file(path, lambda file: figure.savefig(file, format="png", dpi=120))
