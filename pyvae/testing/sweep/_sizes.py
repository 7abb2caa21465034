"""Sizes of operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pyvae.testing import OpCase


def full(case: OpCase, inputs: dict[str, Any], name: str, sizes: Sequence[int]) -> Tensor:
    """An operand that broadcasts, made of ``sizes``, for every row of the batch: (batch, event)."""
    operand: Tensor = inputs[name]
    return operand.expand(sizes[case.sizes.index("batch")], -1)
