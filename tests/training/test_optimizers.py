"""Optimizers by name: their options, and their states in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pyvae.errors import UserError
from pyvae.training import checkpoint
from pyvae.training.optimization.optimizers import OPTIMIZERS, build_optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_states_survive_a_checkpoint(name: str, tmp_path: Path) -> None:
    options = {"momentum": 0.9} if name in ("sgd", "rmsprop") else {}

    def start() -> tuple[nn.Parameter, torch.optim.Optimizer]:
        parameter = nn.Parameter(torch.linspace(-1, 1, 5))
        return parameter, build_optimizer(name, [parameter], 0.1, options)

    def step(parameter: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        parameter.grad = parameter.detach() ** 2 + 0.1
        optimizer.step()

    whole, first = start()
    for _ in range(3):
        step(whole, first)
    tensors, facts = checkpoint.flatten_optimizer(first)
    checkpoint.save(tmp_path / "c", {**tensors, "p": whole}, {**facts, "step": 3})
    tensors, facts = checkpoint.load(tmp_path / "c")
    again, second = start()
    with torch.no_grad():
        again.copy_(tensors.pop("p"))
    checkpoint.load_optimizer(second, tensors, facts)
    for _ in range(3):
        step(whole, first)
        step(again, second)
    assert torch.equal(whole, again)


def test_options_of_optimizers() -> None:
    parameter = [nn.Parameter(torch.zeros(1))]
    with pytest.raises(UserError, match=r"unknown optimizer 'adamm'\. Choices: adagrad, adam"):
        build_optimizer("adamm", parameter, 0.1, {})
    with pytest.raises(UserError, match="'adam' has no option 'centered'"):
        build_optimizer("adam", parameter, 0.1, {"centered": True})
    with pytest.raises(UserError, match="Invalid epsilon"):
        build_optimizer("adam", parameter, 0.1, {"eps": -1.0})


@pytest.mark.parametrize(("options", "fused"), [({}, True), ({"foreach": False}, None)])
def test_the_fused_optimizer_is_used_unless_an_option_says_otherwise(options, fused) -> None:
    optimizer = build_optimizer("adam", [nn.Parameter(torch.zeros(3))], 0.1, options)
    assert optimizer.defaults["fused"] is fused
