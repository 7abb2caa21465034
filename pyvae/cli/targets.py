"""The files that commands write: where they may be, and what is said where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyvae.errors import UserError

__all__ = ["check_images", "checked", "said_unwritable"]


def checked(path: str | Path, endings: Sequence[str]) -> Path:
    """A path with one of these endings, for a file in a folder that exists.

    Raises:
        UserError: another ending, a folder of this name, or no folder for it.
    """
    target = Path(path)
    if target.suffix not in endings:
        *most, last = endings
        expected = f"{', '.join(most)} or {last}" if most else last
        raise UserError(f"--out must end in {expected}, got {path}")
    if not target.absolute().parent.is_dir():
        raise UserError(f"cannot write {path}: {target.parent} is not a folder")
    if target.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    return target


def check_images(target: Path, data_shape: tuple[int, ...], other: str) -> None:
    """Whether data can be drawn, where a ``.png`` was asked for.

    Raises:
        UserError: they are no images; ``other`` is the ending that they can have.
    """
    from pyvae.plots import is_image

    if target.suffix == ".png" and not is_image(data_shape):
        raise UserError(f"data of shape {data_shape} are no images; give --out FILE{other}")


@contextmanager
def said_unwritable(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into a sentence.

    Raises:
        UserError: with the name of the file, and why.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
