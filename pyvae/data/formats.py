"""Readers of the usual file formats. Each checks what it reads and says what it found instead."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyvae.errors import DataError

__all__ = ["read_amat", "read_idx", "read_npz"]

Array = np.ndarray[Any, np.dtype[Any]]


def read_idx(path: Path) -> Tensor:
    """A file of LeCun's idx format, gzipped or not, as a uint8 tensor of the shape it states.

    Raises:
        DataError: not that format, or cut short.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut short or not a gzip file: {error}") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataError(
            f"{path} is not an idx file of bytes: expected it to start with 00 00 08, "
            f"got {data[:3].hex(' ') or 'nothing'}"
        )
    start = 4 + 4 * data[3]
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, min(start, len(data)), 4)]
    expected = start + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{path} is cut short or too long: expected {expected} bytes for shape "
            f"{tuple(shape)}, got {len(data)}"
        )
    return torch.frombuffer(bytearray(data), dtype=torch.uint8, offset=start).view(shape)


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, Array]:
    """The named arrays of an ``.npz`` file; nothing in it is unpickled.

    Raises:
        DataError: not that format, cut short, or without one of the arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive]
            if missing:
                raise DataError(
                    f"{path} has no array {missing[0]!r}: expected {', '.join(keys)}, "
                    f"got {', '.join(archive) or 'none'}"
                )
            return {key: archive[key] for key in keys}
    except DataError:
        raise
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is cut short or not an .npz file of numbers: {error}") from error


def read_amat(path: Path, columns: int) -> Tensor:
    """A text file of rows of ``columns`` zeros and ones, as a uint8 tensor (rows, columns).

    Raises:
        DataError: other characters, or not a whole number of rows.
    """
    try:
        text = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    digits = text[text > ord(" ")] - ord("0")
    if digits.size == 0 or digits.size % columns or digits.max() > 1:
        raise DataError(
            f"{path} is cut short or not a text file of zeros and ones: expected rows of "
            f"{columns}, got {digits.size} characters"
        )
    return torch.from_numpy(digits).view(-1, columns)
