"""The native library: the kernels, and what joins them to the running torch.

The kernels know no torch. What joins them to one is a module for each torch that this build was
made for, of which the one that fits is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ._build_check import fitting

__all__ = ["density_names", "instruction_set", "interface", "ops", "path", "register_densities"]


def _load() -> Any:
    try:
        from . import _build
    except ImportError as error:
        raise ImportError(
            "pyvae's native library is not built: install the package (`pip install .` in its "
            "source folder) instead of importing the source tree."
        ) from error
    name = _build.modules[fitting(list(_build.modules), torch.__version__)]
    return import_module(f"{__package__}.{name}")


_module = _load()

#: Its file, with the kernels beside it; in an editable installation not where this file lies.
path: Path = Path(_module.__file__)
#: The names of the ops.
ops: list[str] = _module.ops
#: The version of what crosses between pyvae and a library of densities.
interface: int = _module.interface
instruction_set: Callable[[], str] = _module.instruction_set
#: The names of the densities of a library, by the address of its ``pyvae_densities`` and its path.
density_names: Callable[[int, str], list[str]] = _module.density_names
#: Makes ops of them in a namespace, which comes first, and returns their names.
register_densities: Callable[[str, int, str], list[str]] = _module.register_densities
