"""Fused C++/CUDA operations for variational autoencoders in PyTorch, and parts to build with."""

import sys

from pyvae import _command
from pyvae._source_tree import give_way

_command.starting()
give_way(sys.modules[__name__])

from importlib import metadata  # noqa: E402

from pyvae import (  # noqa: E402
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
from pyvae.extension import cmake_dir, get_include  # noqa: E402
from pyvae.models import VAE  # noqa: E402

try:
    __version__ = metadata.version("pyvae-fused")
except metadata.PackageNotFoundError:  # a source tree that is on the path but not installed
    __version__ = "0+unknown"

__all__ = [
    "VAE",
    "__version__",
    "cmake_dir",
    "decoders",
    "distributions",
    "encoders",
    "extension",
    "functional",
    "get_include",
    "likelihoods",
    "models",
    "objectives",
    "posteriors",
    "priors",
    "registry",
]
