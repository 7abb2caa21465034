"""What a careful PyTorch user writes instead of each op: the baseline, and what is compiled.

Keywords are those of the op; ``eps`` is given only where a result is checked, else drawn by torch.
An op without an entry here is raced against its specification in ``pyvae.reference``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType

from torch import Tensor

from pyvae.benchmarking.plain import first, heavy
from pyvae.testing import OpCase

__all__ = ["PLAIN", "plain_of"]

#: Every public function of these modules, by its name: that of the op, native or as users call it.
PLAIN: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    name: function
    for module in (first, heavy)
    for name, function in vars(module).items()
    if isinstance(function, FunctionType)
    and function.__module__ == module.__name__
    and not name.startswith("_")
}


def plain_of(case: OpCase) -> Callable[..., Tensor | tuple[Tensor, ...]] | None:
    """The plain form of an op, if there is one."""
    return PLAIN.get(case.native) or PLAIN.get(case.function.__name__)
