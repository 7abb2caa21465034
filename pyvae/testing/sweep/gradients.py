"""Gradients of first and second order by finite differences, and torch's own checks of the ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from pyvae.testing import Inputs, OpCase, Result, outputs

from ._sizes import full

__all__ = [
    "test_broadcast_operands",
    "test_every_gradient",
    "test_gradients_for_every_batch_ndim",
    "test_opcheck_backward_and_one_pass",
    "test_opcheck_forward",
]

TINY = (2, 3, 2)


def tiny(case: OpCase, **options: Any) -> Inputs:
    return case.inputs(*TINY[: len(case.sizes)], **{"dtype": torch.float64, **options})


def skip_unless_exact(case: OpCase) -> None:
    if case.stops_gradient:
        pytest.skip("the gradients leave out a part on purpose")


def check_gradients(
    function: Callable[[Inputs], Result],
    inputs: Inputs,
    wanted: Sequence[str],
    second: bool = True,
) -> None:
    """Finite differences of ``function(inputs)`` in the arguments ``wanted``."""
    leaves = [inputs[name].detach().clone().requires_grad_() for name in wanted]

    def of(*values: Tensor) -> tuple[Tensor, ...]:
        return outputs(function({**inputs, **dict(zip(wanted, values, strict=True))}))

    assert gradcheck(of, leaves, fast_mode=not second), wanted
    if second:
        assert gradgradcheck(of, leaves, fast_mode=True), wanted


def test_every_gradient(case: OpCase) -> None:
    skip_unless_exact(case)
    check_gradients(case, tiny(case), case.differentiable)
    for name in case.differentiable:  # and one at a time: each has a mask of its own
        check_gradients(case, tiny(case), (name,), second=False)


# From a tensor (batch, event) to one that broadcasts back to it.
BROADCASTS: dict[str, Callable[[Tensor], Tensor]] = {
    "scalar": lambda t: t[0, 0],
    "one": lambda t: t[0, :1],
    "event": lambda t: t[0],
    "one row": lambda t: t[:1],
    "per sample": lambda t: t[:, :1],
}


@pytest.mark.parametrize("form", BROADCASTS)
def test_broadcast_operands(case: OpCase, form: str) -> None:
    skip_unless_exact(case)
    if not case.broadcasts:
        pytest.skip("no operand broadcasts")
    for name in case.broadcasts:
        inputs = tiny(case)
        inputs[name] = BROADCASTS[form](full(case, inputs, name, TINY))
        check_gradients(case, inputs, case.differentiable)
        check_gradients(case, inputs, (name,), second=False)


@pytest.mark.parametrize("batch_ndim", [0, 1, 2])
def test_gradients_for_every_batch_ndim(case: OpCase, batch_ndim: int) -> None:
    skip_unless_exact(case)
    if "batch_ndim" not in [a.name for a in case.op.default._schema.arguments]:
        pytest.skip("no dimensions are summed by choice")
    if case.images and batch_ndim == 2:
        pytest.skip("an image is never split")
    check_gradients(lambda i: case(i, batch_ndim=batch_ndim), tiny(case), case.differentiable)


def forms(case: OpCase) -> Iterator[Inputs]:
    """Arguments of the native op: as they are, half of them learned, in float32, and broadcast."""
    sizes = TINY[: len(case.sizes)]
    plain = case.inputs(*sizes)
    yield {**plain}
    yield case.inputs(*sizes, dtype=torch.float64, requires_grad=case.differentiable)
    yield {**plain, **case.inputs(*sizes, requires_grad=case.differentiable[-1:])}
    for name in case.broadcasts:
        yield {**plain, name: plain[name].flatten()[0].clone().requires_grad_()}
    if "beta" in plain:
        yield {**plain, "beta": None}
    if case.native == "gaussian_rsample":
        yield {**plain, "seed": torch.arange(3), "sample_shape": (3,)}
    if case.native.startswith("gaussian_rsample_log_ratio"):
        yield {**plain, "seed": torch.arange(2)}
    if case.native in ("gaussian_rsample_kl", "rank1_gaussian_rsample_kl"):
        yield {**plain, "seed": torch.arange(2)}


CHECKS = (
    "test_schema",
    "test_autograd_registration",
    "test_faketensor",
    "test_aot_dispatch_dynamic",
)


def test_opcheck_forward(case: OpCase) -> None:
    for i, inputs in enumerate(forms(case)):
        # Tracing is slow: twice per op, the rest of the forms without.
        checks = CHECKS if i in (1, 3) else CHECKS[:3]
        opcheck(case.op.default, case.arguments(inputs), test_utils=checks)


def test_opcheck_backward_and_one_pass(case: OpCase) -> None:
    op = getattr(case.ops, f"{case.native}_backward").default
    one_pass = getattr(case.ops, f"_{case.native}_value_grad", None)
    for i, inputs in enumerate(forms(case)):
        arguments = case.arguments(inputs)
        with torch.no_grad():
            grads = [torch.randn_like(r) for r in outputs(case.specification(inputs))]
        tensors: list[Any] = [a for a in arguments if a is None or torch.is_tensor(a)]
        leaves = [inputs[n] for n in case.differentiable]
        mask = [t is not None and any(t is leaf for leaf in leaves) for t in tensors]
        for some in (mask, [m and k % 2 == 0 for k, m in enumerate(mask)]):
            opcheck(op, (*grads, *arguments, some), test_utils=CHECKS if i == 0 else CHECKS[:3])
        if one_pass is not None and i == 0 and not inputs.get("per_dimension"):
            # ... of operands that are not broadcast
            learned = [
                any(t is inputs[name] for name in case.learned) and t.ndim == tensors[0].ndim
                for t in tensors
            ]
            opcheck(one_pass.default, (*arguments, learned))
