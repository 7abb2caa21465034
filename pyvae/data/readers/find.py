"""What a path is: which reader knows it, and whether its parts are the splits."""

from __future__ import annotations

import os
from pathlib import Path

from pyvae.data.splitting import split_called
from pyvae.errors import DataError
from pyvae.registry import UnknownPartError, datasets, readers

__all__ = ["is_path", "parts_of", "reader_of"]


def is_path(name: str | os.PathLike[str]) -> bool:
    """Whether the name of a data set is the path of a file or folder.

    A registered name is none, even where a folder of that name lies about: ``./digits`` is one.
    """
    if not isinstance(name, str):
        return True
    if os.sep in name:
        return True
    try:
        datasets.get(name)
    except UnknownPartError:
        path = Path(name).expanduser()
        return path.exists() or _reader_by_name(path) is not None
    return False


def reader_of(path: Path) -> str:
    """The name of the reader for a path.

    Raises:
        DataError: there is no such path, or no reader knows it.
    """
    by_name = _reader_by_name(path)
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if by_name is not None and not path.is_dir():
        return by_name
    for name in readers.names():
        if readers.get(name).knows(path):  # type: ignore[attr-defined]
            return name
    if path.is_dir():
        raise DataError(
            f"the folder {path} holds no images (.png, .jpg, .webp, .tif), no tar shards and no "
            f"saved data set of the library datasets"
        )
    raise DataError(
        f"{path} is of no kind that is known; known are folders of images and files that end in "
        f"{', '.join(sorted(_suffixes()))}; reader=NAME says what a file is"
    )


def parts_of(path: Path) -> dict[str, Path]:
    """A folder whose parts are called train, valid and test, by split; else the path as "train".

    The parts are files of one kind, or all folders that there are.

    Raises:
        DataError: two parts of one split.
    """
    if not path.is_dir():
        return {"train": path}
    seen = [p for p in sorted(path.iterdir()) if not p.name.startswith(".")]
    folders = [p for p in seen if p.is_dir()]
    files = [p for p in seen if p.is_file() and _reader_by_name(p) is not None]
    for candidates in (folders, files):
        parts: dict[str, Path] = {}
        for one in candidates:
            split = split_called(one.name if one.is_dir() else one.name.partition(".")[0])
            if split is None:
                break
            if split in parts:
                raise DataError(f"{path} has two parts for {split}: {parts[split]} and {one}")
            parts[split] = one
        else:
            if "train" in parts:
                return parts
    return {"train": path}


def _reader_by_name(path: Path) -> str | None:
    name = path.name.lower()
    return next((reader for end, reader in _suffixes().items() if name.endswith(end)), None)


def _suffixes() -> dict[str, str]:
    """The endings of files, and the reader of each."""
    return {end: name for name in readers.names() for end in _ends(name)}


def _ends(name: str) -> tuple[str, ...]:
    return tuple(getattr(readers.get(name), "suffixes", ()))
