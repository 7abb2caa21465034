"""Find a data file in a folder, or download it; either way it is checked before it is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvae.errors import DataError, optional

__all__ = ["Source", "data_folder", "fetch", "find"]


@dataclass(frozen=True)
class Source:
    """A published file.

    Args:
        name: its file name
        digest: its checksum as ``"md5:..."`` or ``"sha256:..."``; None where none is published
        urls: where it can be downloaded, tried in turn; empty if nowhere
    """

    name: str
    digest: str | None = None
    urls: tuple[str, ...] = ()


def data_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """``data_dir``, else the environment's PYVAE_DATA_DIR, else the user's cache folder."""
    chosen = data_dir or os.environ.get("PYVAE_DATA_DIR")
    return Path(chosen).expanduser() if chosen else Path(optional("pooch").os_cache("pyvae"))


def find(
    dataset: str, names: Sequence[str], data_dir: str | os.PathLike[str] | None
) -> Path | None:
    """The first of these files in the data folder or its subfolder of the data set's name."""
    root = data_folder(data_dir)
    places = [root / dataset, root / dataset / "raw", root, root / "raw"]
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    return None


def fetch(dataset: str, source: Source, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The path of a file that is local, or is downloaded into the data folder now.

    A local file with a published checksum is checked as well. A download gets its name only once it
    is complete and its checksum is right.

    Raises:
        DataError: no such file and nowhere to get it, or not the published bytes.
    """
    path = find(dataset, [source.name], data_dir)
    if path is not None:
        _verify(path, source.digest)
        return path
    folder = data_folder(data_dir) / dataset
    if not source.urls:
        raise DataError(f"{dataset}: {source.name} is neither in {folder} nor in {folder.parent}")
    return _download(dataset, source, folder)


def _verify(path: Path, digest: str | None) -> None:
    if digest is None:
        return
    algorithm, _, expected = digest.partition(":")
    try:
        got = hashlib.new(algorithm, path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if got != expected:
        raise DataError(
            f"{path} is damaged or not the published file: expected {algorithm} {expected}, "
            f"got {got} ({path.stat().st_size} bytes)"
        )


def _download(dataset: str, source: Source, folder: Path) -> Path:
    pooch: Any = optional("pooch")
    pooch.get_logger().setLevel("WARNING")
    failures = []
    for url in source.urls:
        try:
            return Path(pooch.retrieve(url, source.digest, fname=source.name, path=folder))
        except (OSError, ValueError) as error:  # no network, no such page, wrong checksum
            failures.append(f"{url}: {error}")
    raise DataError(
        f"{dataset}: {source.name} could not be downloaded to {folder} "
        f"({'; '.join(failures)}); put the file there, or name its folder with --data-dir"
    )
