"""The backward ops are public: whatever they are given, they compute or they raise, by name."""

from __future__ import annotations

import torch

from pyvae.testing import CASES, differentiate
from pyvae.testing.sweep.arguments import *  # noqa: F403
from pyvae.testing.sweep.arguments import backward_of


def test_a_right_call_is_what_autograd_gives():
    case = CASES["bernoulli_log_prob"]
    inputs = case.inputs(requires_grad=case.differentiable)
    results, expected = differentiate(case, inputs, case.differentiable)
    generator = torch.Generator().manual_seed(1000)
    grad = torch.randn(results[0].shape, generator=generator)
    found = backward_of(case)(
        grad, inputs["x"].detach(), inputs["logits"].detach(), 1, [True, True]
    )
    for name, gradient in zip(("x", "logits"), found, strict=True):
        if name in expected:
            assert torch.equal(gradient, expected[name])


def test_inputs_that_are_copied_on_write_stay_uncopied():
    x, logits = torch.rand(4, 5), torch.randn(4, 5)
    lazy = torch._lazy_clone(logits)
    torch.ops.pyvae.bernoulli_log_prob(x, lazy)
    torch.ops.pyvae.bernoulli_log_prob_backward(torch.ones(4), x, lazy, 1, [False, True])
    assert torch._C._is_cow_tensor(lazy)
