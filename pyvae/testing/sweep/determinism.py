"""Bitwise equal results from run to run and for any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from pyvae.testing import Inputs, OpCase, differentiate

from ._sizes import full

__all__ = [
    "test_any_number_of_threads",
    "test_sums_over_what_an_operand_is_broadcast_along",
]

# Sizes beyond one thread's share: many rows, few rows, one long row, long rows over several chunks.
SIZES = {
    "many rows": (3, 5000, 37),
    "few rows": (2, 3, 30_011),
    "long row": (1, 1, 100_003),
    "many samples": (1, 100_000, 3),
    "odd": (5, 131, 257),
}


def differentiated(case: OpCase, inputs: Inputs, wanted: Sequence[str]) -> list[Tensor]:
    values, grads = differentiate(case, inputs, wanted)
    return [*values, *grads.values()]


def same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    return all(torch.equal(p, q) and p.stride() == q.stride() for p, q in zip(a, b, strict=True))


def for_threads(function: Callable[[], Sequence[Tensor]]) -> None:
    """The same results for 1, 2 and 4 threads."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = function()
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            assert same(function(), first), f"{count} threads"
    finally:
        torch.set_num_threads(before)


def sizes_of(case: OpCase, size: str) -> tuple[int, ...]:
    if "event" in case.sizes and "latent" in case.sizes:
        return (*SIZES[size][1:], 5)
    return SIZES[size][-len(case.sizes) :]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", SIZES)
def test_any_number_of_threads(case: OpCase, size: str, dtype: torch.dtype) -> None:
    sizes = sizes_of(case, size)
    if case.paired:
        sizes = tuple(min(s, 1000) for s in sizes)
    inputs = case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable)
    for_threads(partial(differentiated, case, inputs, case.differentiable))
    for_threads(partial(differentiated, case, inputs, case.learned))


BROADCASTS: dict[str, Any] = {
    "columns": (0,),
    "per sample": (slice(None), slice(1)),
    "scalar": (0, 0),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", BROADCASTS)
def test_sums_over_what_an_operand_is_broadcast_along(case: OpCase, form: str, size: str) -> None:
    if not case.broadcasts:
        pytest.skip("no operand broadcasts")
    sizes = sizes_of(case, size)
    for name in case.broadcasts:
        inputs = case.inputs(*sizes)
        whole = full(case, inputs, name, sizes)
        inputs[name] = whole[BROADCASTS[form]].clone().requires_grad_()
        for_threads(partial(differentiated, case, inputs, (name,)))
        # ... and they are the sums: what the full operand's gradient adds up to.
        every = inputs[name].detach().expand_as(whole).clone().requires_grad_()
        (_, few), (_, many) = (
            differentiate(case, i, (name,)) for i in (inputs, {**inputs, name: every})
        )
        total = many[name].double().sum_to_size(inputs[name].shape)
        scale = many[name].double().abs().sum_to_size(inputs[name].shape)
        assert ((few[name].double() - total).abs() <= 2e-6 * scale + 1e-6).all(), name
