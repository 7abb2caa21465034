"""A compiled library of densities, as functions."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pyvae import _native
from pyvae._library import complete

from ._function import density_function

__all__ = ["load_library"]

_loaded: list[ctypes.CDLL] = []  # their kernels stay where they are


def load_library(
    path: str | PathLike[str], references: Mapping[str, Callable[..., Any]], *, namespace: str
) -> dict[str, Callable[..., Any]]:
    """Load a library of densities; its ops become ``torch.ops.<namespace>.<name>``.

    Args:
        path: of the shared library that ``pyvae_add_densities`` built.
        references: for each density of the library, by the name that its header gives, a function
            in differentiable PyTorch of the same operands and a last argument ``batch_ndim=1``. It
            says what the density means: higher derivatives and devices without kernels run it, and
            :mod:`pyvae.testing` compares with it.
        namespace: a Python identifier, by custom the name of your package.

    Returns:
        For each name a function ``f(*operands, mask=None, batch_ndim=1, inplace=False)``, or of a
        density with noise ``f(*operands, sample_shape=(), batch_ndim=1, generator=None,
        seed=None)``. Operands behind the first may be numbers. With a mask the sum runs over what
        is observed: see :func:`pyvae.functional.bernoulli_log_prob`.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: it is no library of densities, or one that cannot be loaded here.
        ValueError: it was built for another version of pyvae's interface, a reference is missing,
            or one of its ops exists already.

    Example:
        >>> import pyvae.extension
        >>> pyvae.extension.load_library("no/such/file.so", {}, namespace="mine")
        Traceback (most recent call last):
        FileNotFoundError: there is no library of densities at no/such/file.so
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no library of densities at {file}")
    if not re.fullmatch(r"[A-Za-z_]\w*", namespace) or namespace == "pyvae":
        raise ValueError(
            f"namespace must be a Python identifier other than pyvae, got {namespace!r}"
        )
    try:
        library = ctypes.CDLL(str(file.resolve()))
        exported = library.pyvae_densities
    except (OSError, AttributeError) as error:
        raise ImportError(f"{file} is no library of densities: {error}") from error
    address = ctypes.cast(exported, ctypes.c_void_p).value
    assert address is not None
    missing = [name for name in _native.density_names(address, str(file)) if name not in references]
    if missing:
        raise ValueError(f"{file}: references must have a function for {', '.join(missing)}")
    _loaded.append(library)
    names = _native.register_densities(namespace, address, str(file))
    complete(namespace, {name: references[name] for name in names})
    return {name: density_function(namespace, name, references[name]) for name in names}
