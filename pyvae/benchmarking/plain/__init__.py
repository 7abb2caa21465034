"""What a careful PyTorch user writes instead of each op: the baseline, and what is compiled.

Keywords are those of the op; ``eps`` is given only where a result is checked, else drawn by torch.
An op without an entry here is raced against its specification in ``pyvae.reference``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType

from torch import Tensor

from pyvae.benchmarking.plain import elements, first, heavy
from pyvae.testing import OpCase

__all__ = ["PLAIN", "plain_of"]

Plain = Callable[..., Tensor | tuple[Tensor, ...]]


def _functions(*modules: ModuleType) -> dict[str, Plain]:
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, FunctionType)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


#: Every public function of these modules, by its name: that of the op, native or as users call it.
PLAIN: Mapping[str, Plain] = _functions(first, heavy)
_ELEMENTS = _functions(elements)


def plain_of(case: OpCase, by_element: bool = False) -> Plain | None:
    """The plain form of an op, if there is one; of an op that sums no dimension, if asked for."""
    known = _ELEMENTS if by_element else PLAIN
    return known.get(case.native) or known.get(case.function.__name__)
