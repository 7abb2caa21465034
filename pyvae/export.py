"""For exporters: what the ops are in terms of ``torch.ops.aten``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch._ops import OpOverload

from pyvae import _library

__all__ = ["decompositions"]


def decompositions() -> dict[OpOverload, Callable[..., Any]]:
    """A table for ``ExportedProgram.run_decompositions``, after which no op of pyvae is left.

    With it a program runs where pyvae is not installed, and ``torch.onnx.export`` takes it. It
    covers the ops of densities from other packages, too, that have been loaded. Values agree with
    the kernels' to rounding; noise comes from the same stream for the same seed.

    Example:
        >>> import torch
        >>> from pyvae import functional as F
        >>> class Rate(torch.nn.Module):
        ...     def forward(self, mean, logvar):
        ...         return F.gaussian_kl(mean, logvar)
        >>> program = torch.export.export(Rate(), (torch.ones(2, 3), torch.zeros(2, 3)))
        >>> program = program.run_decompositions(decompositions())
        >>> any("pyvae" in str(node.target) for node in program.graph.nodes)
        False
        >>> program.module()(torch.ones(2, 3), torch.zeros(2, 3))
        tensor([1.5000, 1.5000])
    """
    return dict(_library.meanings)
