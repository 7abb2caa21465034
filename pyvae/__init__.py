"""Fused C++/CUDA operations for variational autoencoders in PyTorch, and parts to build with.

Importing it registers the ops and the parts. The command ``pyvae`` alone does that later, when it
knows what it has been asked for: its help is there before torch would be.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyvae import _command
from pyvae._source_tree import give_way

give_way(sys.modules[__name__])

if TYPE_CHECKING or not _command.starting():
    from pyvae import (
        decoders,
        distributions,
        encoders,
        extension,
        functional,
        likelihoods,
        models,
        objectives,
        posteriors,
        priors,
        registry,
    )
    from pyvae.extension import cmake_dir, get_include
    from pyvae.models import VAE

if TYPE_CHECKING:
    from pyvae.fitting import fit

    __version__: str

#: Where the names lie that are no modules.
_HOMES = {
    "VAE": "pyvae.models",
    "cmake_dir": "pyvae.extension",
    "fit": "pyvae.fitting",
    "get_include": "pyvae.extension",
}

__all__ = [
    "VAE",
    "__version__",
    "cmake_dir",
    "decoders",
    "distributions",
    "encoders",
    "extension",
    "fit",
    "functional",
    "get_include",
    "likelihoods",
    "models",
    "objectives",
    "posteriors",
    "priors",
    "registry",
]


def __getattr__(name: str) -> Any:
    """What has not been imported yet (PEP 562)."""
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in __all__:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("pyvae-fused")
    except metadata.PackageNotFoundError:  # a source tree that is on the path but not installed
        return "0+unknown"
