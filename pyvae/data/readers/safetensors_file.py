"""Tensors by name in .safetensors files."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.readers.base import Reader, Rows, said_of
from pyvae.data.readers.choose import rows_by_name
from pyvae.data.row_file import RowFile
from pyvae.registry import readers

__all__ = ["Safetensors"]

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES = {
    **{"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4"},
    **{"I32": "<i4", "U64": "<u8", "I64": "<i8", "F64": "<f8", "F32": "<f4", "F16": "<f2"},
    "BF16": "<u2",  # the upper half of a float32
}
_LONGEST = 100_000_000  # bytes of a header, by the format's own rules


@readers.register("safetensors")
class Safetensors(Reader):
    """Tensors by name in a .safetensors file.

    The library of the format maps the whole file, which a limit of addresses counts in full; the
    format (a header in JSON, then the numbers) is plain enough to be read row by row.

    Args:
        x: the tensor with the data; default: x, X, images or data, else the only one that is
            neither a list nor a single number
    """

    suffixes = (".safetensors",)

    def __init__(self, *, x: str | None = None) -> None:
        self.x = x

    @contextmanager
    def rows(self, path: Path, aside: Collection[str]) -> Iterator[Rows]:
        """The tensor of the data; lists of as many values are fields."""
        with said_of(path, "a safetensors file"):
            tensors = _tensors(path)
            shapes = {name: found.shape for name, found in tensors.items()}
            yield rows_by_name(
                self.x, shapes, path, tensors.__getitem__, lambda name: tensors[name][:]
            )


def _tensors(path: Path) -> dict[str, RowFile]:
    """The tensors of a file by name; those without dimensions are left out.

    Raises:
        ValueError: the header is damaged, or states more than there is.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_LONGEST, path.stat().st_size - 8):
            raise ValueError(f"it states a header of {length} bytes")
        header: dict[str, Any] = json.loads(file.read(length))
    found = {}
    for name, said in header.items():
        if name == "__metadata__" or not said["shape"]:
            continue
        kind, shape = said["dtype"], tuple(int(size) for size in said["shape"])
        if kind not in _DTYPES or min(shape) < 0:
            raise ValueError(f"{name} is of {shape} {kind}")
        dtype = np.dtype(_DTYPES[kind])
        begin, end = said["data_offsets"]
        if begin < 0 or end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} states {shape} numbers of {kind} in {end - begin} bytes")
        decode = _upper_half if kind == "BF16" else None
        where = f"{path}: {name}"
        found[name] = RowFile(path, where, 8 + length + begin, shape, dtype, decode=decode)
    return found


def _upper_half(words: Array) -> Array:
    """Numbers of bfloat16 as float32."""
    return (words.astype(np.uint32) << 16).view(np.float32)
