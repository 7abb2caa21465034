"""torch.compile takes an op whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch._inductor.config
from torch import Tensor
from torch.testing import assert_close

from pyvae.testing import Inputs, OpCase, outputs

__all__ = ["test_one_graph_equals_eager"]


@contextmanager
def fresh() -> Iterator[None]:
    """Nothing compiled before: torch's cache on disk would keep graphs of an older build."""
    torch._dynamo.reset()
    with torch._inductor.config.patch(force_disable_caches=True):
        yield
    torch._dynamo.reset()


def test_one_graph_equals_eager(case: OpCase) -> None:
    """Forward and backward, with gradients for all that take one and for what is learned."""

    def op(inputs: Inputs) -> tuple[Tensor, ...]:
        return outputs(case(inputs))

    for wanted in (case.differentiable, case.learned):
        inputs = case.inputs(requires_grad=wanted)
        leaves = [inputs[name] for name in wanted]
        with fresh():
            ours = torch.compile(op, fullgraph=True, backend="aot_eager")(inputs)
            eager = op(inputs)
            assert_close(ours, eager)
            incoming = [torch.randn_like(r) for r in eager]
            assert_close(
                torch.autograd.grad(ours, leaves, incoming),
                torch.autograd.grad(eager, leaves, incoming),
            )
