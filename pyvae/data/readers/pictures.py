"""Encoded images as one array that is decoded when it is sliced, none of them trusted."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyvae.errors import DataError, optional

__all__ = ["SUFFIXES", "Picture", "Pictures", "size_of"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

Array = np.ndarray[Any, np.dtype[Any]]

_GREY = ("1", "L", "LA", "La")  # Pillow's modes
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")  # 16 bits per pixel
_ROTATED = range(5, 9)  # orientations in a photograph's EXIF data that swap height and width
_ORIENTATION = 0x0112


class Readable(Protocol):
    """What gives bytes when it is asked."""

    def read(self) -> bytes: ...


@dataclass(frozen=True)
class Picture:
    """An encoded image.

    Args:
        where: it comes from, for messages
        content: its file, its bytes, or what reads them
    """

    where: str
    content: Path | bytes | Readable


class Pictures:
    """Images (N, C, H, W) of uint8; the headers are read now, the pixels with a slice of rows.

    Photographs are turned as their EXIF data say; transparency is left out.

    Args:
        pictures: the encoded images
        size: (height, width): each image is scaled until it covers them and cut at its centre;
            None: all images must be of one size
        grey: whether images are grey (C = 1) or in colours (C = 3); None: grey if all are

    Raises:
        DataError: no images, one that is damaged or too large, or sizes that differ.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, pictures: Sequence[Picture], size: tuple[int, int] | None, grey: bool | None
    ) -> None:
        self.pictures, self.size = pictures, size
        with ThreadPoolExecutor(_threads()) as pool:
            headers = list(pool.map(_header, pictures))
        if grey is None:
            grey = all(mode in (*_GREY, *_DEEP) for _, mode in headers)
        self.grey = grey
        first = headers[0][0]
        if size is None:
            for picture, (shape, _) in zip(pictures, headers, strict=True):
                if shape != first:
                    raise DataError(
                        f"{picture.where} has {_by(shape)} pixels and {pictures[0].where} "
                        f"{_by(first)}; size=64 makes all images 64 x 64, size=64,48 makes them "
                        f"64 high and 48 wide"
                    )
        self.shape = (len(pictures), 1 if grey else 3, *(size or first))

    def __getitem__(self, rows: slice) -> Array:
        chosen = self.pictures[rows]
        pixels = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)

        def decode(i: int) -> None:
            pixels[i] = self._decode(chosen[i])

        with ThreadPoolExecutor(_threads()) as pool:
            for _ in pool.map(decode, range(len(chosen))):
                pass
        return pixels

    def _decode(self, picture: Picture) -> Array:
        with _opened(picture) as image:
            if (
                self.size is not None
            ):  # JPEG files are decoded at about this scale, several times as fast
                image.draft(None, (2 * self.size[1], 2 * self.size[0]))
            found = _eight_bits(image, picture.where)
            ops = optional("PIL.ImageOps", "images")
            found = ops.exif_transpose(found).convert("L" if self.grey else "RGB")
            if self.size is not None and found.size != self.size[::-1]:
                lanczos = optional("PIL.Image", "images").Resampling.LANCZOS
                found = ops.fit(found, self.size[::-1], method=lanczos)
            pixels = np.asarray(found, dtype=np.uint8)
        if pixels.shape[:2] != self.shape[2:]:
            raise DataError(f"{picture.where} has other pixels than its header says")
        return pixels[None] if self.grey else np.moveaxis(pixels, -1, 0)


def size_of(size: Sequence[int] | None, where: str) -> tuple[int, int] | None:
    """Height and width from one number or two.

    Raises:
        DataError: not one or two positive numbers.
    """
    if size is None:
        return None
    if len(size) not in (1, 2) or min(size) < 1:
        raise DataError(f"{where}: size must be one number or height,width, got {list(size)}")
    return size[0], size[-1]


def _header(picture: Picture) -> tuple[tuple[int, int], str]:
    """Height, width and mode, without decoding a pixel."""
    with _opened(picture) as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION) in _ROTATED
        return ((width, height) if turned else (height, width)), image.mode


class _opened:
    """An image that Pillow has opened; what it says of bad bytes becomes one sentence."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def __enter__(self) -> Any:
        images = optional("PIL.Image", "images")
        content = self.picture.content
        with warnings.catch_warnings():
            # beyond twice the size of which it would warn, Pillow refuses
            warnings.simplefilter("ignore", images.DecompressionBombWarning)
            try:
                if not isinstance(content, (Path, bytes)):
                    content = content.read()
                source = content if isinstance(content, Path) else io.BytesIO(content)
                self.image = images.open(source, formats=("PNG", "JPEG", "WEBP", "TIFF"))
            except Exception as error:
                raise self._said(error) from error
        return self.image

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.image.close()
        if isinstance(error, Exception) and not isinstance(error, (DataError, ImportError)):
            raise self._said(error) from error

    def _said(self, error: Exception) -> Exception:
        if isinstance(error, (DataError, ImportError)):
            return error
        if type(error).__name__ == "UnidentifiedImageError":
            return DataError(f"{self.picture.where} is damaged or no image that Pillow can read")
        return DataError(f"{self.picture.where} is damaged or too large: {error}")


def _eight_bits(image: Any, where: str) -> Any:
    if image.mode in _DEEP:
        pixels = np.asarray(image).astype(np.uint16) >> 8
        return optional("PIL.Image", "images").fromarray(pixels.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DataError(
            f"{where} holds numbers of 32 bits (mode {image.mode}), not levels from 0 to 255; "
            f"save them as .npy"
        )
    return image


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _threads() -> int:
    return min(8, os.cpu_count() or 1)
