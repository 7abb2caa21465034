"""Tensors by name in .safetensors files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyvae.data.readers.base import Reader, Rows, said_of
from pyvae.data.readers.choose import rows_by_name
from pyvae.errors import optional
from pyvae.registry import readers

__all__ = ["Safetensors"]

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES = {  # those of numpy, and what others are read as
    **{"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4"},
    **{"U64": "u8", "I64": "i8", "F64": "f8", "F32": "f4", "F16": "f4", "BF16": "f4"},
}


@readers.register("safetensors")
class Safetensors(Reader):
    """Tensors by name in a .safetensors file.

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
        safetensors: Any = optional("safetensors")
        with said_of(path, "a safetensors file"), safetensors.safe_open(path, "pt") as file:
            slices = {key: _Slices(file.get_slice(key)) for key in file.keys()}  # noqa: SIM118
            shapes = {key: found.shape for key, found in slices.items()}
            yield rows_by_name(self.x, shapes, path, slices.__getitem__, lambda key: slices[key][:])


class _Slices:
    """A tensor in a file, as an array of numpy's dtypes that is read when it is sliced."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.shape = tuple(found.get_shape())
        self.dtype = np.dtype(_DTYPES.get(found.get_dtype(), "V"))

    def __getitem__(self, rows: slice) -> Array:
        tensor = self._found[rows]
        return np.asarray(tensor.float() if self.dtype == np.float32 else tensor)
