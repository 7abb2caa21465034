"""Folders of images; subfolders are labels."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pyvae.data.fields import Field, Fields
from pyvae.data.readers.base import Reader, Rows
from pyvae.data.readers.pictures import SUFFIXES, Picture, Pictures, size_of
from pyvae.registry import readers

__all__ = ["ImageFolder"]


@readers.register("images")
class ImageFolder(Reader):
    """A folder of PNG, JPEG, WebP and TIFF files, mixed as they come.

    Where images lie in subfolders, the name of the first subfolder is the label. Hidden files and
    folders, and files of other kinds, are passed over.

    Args:
        size: side, or height and width, to which images are scaled and cut; default: as they are
        grey: true for grey images, false for colours; default: grey if all of them are
    """

    def __init__(self, *, size: Sequence[int] | None = None, grey: bool | None = None) -> None:
        self.size, self.grey = size_of(size, "images"), grey

    @classmethod
    def knows(cls, path: Path) -> bool:
        """Whether it is a folder with an image."""
        return path.is_dir() and next(_images(path), None) is not None

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The images in the order of their paths."""
        files = sorted(_images(path))
        pictures = [Picture(str(file), file) for file in files]
        inner = [file.relative_to(path).parts for file in files]
        labels = np.array([p[0] if len(p) > 1 else None for p in inner], dtype=object)
        named = any(len(parts) > 1 for parts in inner)
        yield Rows(
            Pictures(pictures, self.size, self.grey),
            str(path),
            Fields(["label"] if named else [], lambda _: Field(labels)),
            labels="label" if named else None,
            values="levels",
            channels="first",
        )


def _images(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(folder, name)
