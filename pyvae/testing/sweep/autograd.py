"""An op in autograd's own modes: backward again, checkpoints, hooks, autocast, no gradients."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from pyvae.testing import OpCase, outputs

__all__ = [
    "test_autocast",
    "test_backward_again",
    "test_changing_an_argument_never_gives_a_wrong_gradient",
    "test_checkpointing_and_saved_tensor_hooks",
    "test_modes_without_gradients",
]


def test_backward_again(case: OpCase) -> None:
    inputs = case.inputs(requires_grad=case.differentiable)
    for wanted in (case.differentiable, case.learned):
        leaves = [inputs[n] for n in wanted]
        frozen = {
            n: t.detach() if torch.is_tensor(t) and n not in wanted else t
            for n, t in inputs.items()
        }
        results = outputs(case(frozen))
        weights = [torch.randn_like(r) for r in results]
        first = torch.autograd.grad(results, leaves, weights, retain_graph=True)
        kept = [g.clone() for g in first]
        assert_close(
            torch.autograd.grad(results, leaves, weights, retain_graph=True), first, rtol=0, atol=0
        )
        doubled = torch.autograd.grad(results, leaves, [2 * w for w in weights])
        assert_close(doubled, tuple(2 * g for g in first))
        assert_close(first, tuple(kept), rtol=0, atol=0)  # no gradient given out changes later
        with pytest.raises(RuntimeError, match="second time"):
            torch.autograd.grad(results, leaves, weights)


def test_changing_an_argument_never_gives_a_wrong_gradient(case: OpCase) -> None:
    """It raises, or the gradient was made beside the value and is that of the old argument."""
    for name in case.differentiable:
        inputs = case.inputs(requires_grad=case.differentiable)
        leaves = [inputs[n] for n in case.differentiable]
        results = outputs(case(inputs))
        incoming = [torch.full_like(r, 0.5) for r in results]
        expected = torch.autograd.grad(results, leaves, incoming)

        results = outputs(case({**inputs, name: (changed := inputs[name] * 1)}))
        with torch.no_grad():
            changed.add_(1)
        try:
            assert_close(torch.autograd.grad(results, leaves, incoming), expected)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)


@pytest.mark.parametrize("wanted", ["differentiable", "learned"])
def test_checkpointing_and_saved_tensor_hooks(case: OpCase, wanted: str) -> None:
    inputs = case.inputs(requires_grad=getattr(case, wanted))
    leaves = [inputs[n] for n in getattr(case, wanted)]

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        return outputs(case({**inputs, **dict(zip(getattr(case, wanted), values, strict=True))}))

    def slopes(results: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(results, leaves, [torch.ones_like(r) for r in results])

    def backward(results: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(results, [torch.ones_like(r) for r in results])
        return tuple(leaf.grad for leaf in leaves)

    expected = slopes(run(*leaves))
    for reentrant in (True, False):
        assert_close(
            backward(checkpoint(run, *leaves, use_reentrant=reentrant)), expected, rtol=0, atol=0
        )
    with torch.autograd.graph.save_on_cpu():
        results = run(*leaves)
    assert_close(slopes(results), expected, rtol=0, atol=0)


def test_modes_without_gradients(case: OpCase) -> None:
    inputs = case.inputs(requires_grad=case.differentiable)
    expected = [r.detach() for r in outputs(case(inputs))]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            results = outputs(case(inputs))
        assert not any(r.requires_grad for r in results)
        assert_close(results, tuple(expected), rtol=1e-6, atol=1e-6)
    assert all(r.requires_grad for r in outputs(case(inputs)))


def test_autocast(case: OpCase) -> None:
    """Under autocast networks give bfloat16 to the ops, which sum in float32 all the same."""
    inputs = case.inputs(requires_grad=case.learned)
    half = {n: t.bfloat16() if n in case.learned else t for n, t in inputs.items()}
    with torch.autocast("cpu", torch.bfloat16):
        ours = outputs(case(half))
    assert_close(ours, outputs(case(half)), rtol=0, atol=0)
    grads = torch.autograd.grad(
        ours, [inputs[n] for n in case.learned], [torch.ones_like(r) for r in ours]
    )
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in grads)
