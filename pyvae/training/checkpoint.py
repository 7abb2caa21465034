"""A training state as one safetensors file: tensors by name, all else as JSON in its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from pyvae.errors import RunError
from pyvae.storage import DamagedError, load_tensors, save_tensors

__all__ = ["flatten_optimizer", "load", "load_optimizer", "rng_state", "save", "set_rng_state"]

Tensors = dict[str, Tensor]


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint; the file appears whole or not at all."""
    save_tensors(path, tensors, facts)


def load(path: Path, *, verify: bool = True) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and facts of a checkpoint.

    Raises:
        RunError: the file is missing, cut short, altered, or not a checkpoint.
    """
    try:
        tensors, facts = load_tensors(path, verify=verify)
    except DamagedError as error:
        raise RunError(str(error)) from error
    if not isinstance(facts.get("step"), int):
        raise RunError(f"{path} is not a checkpoint: it names no step")
    return tensors, facts


def flatten_optimizer(optimizer: Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """An optimizer's state as named tensors (``<parameter>.<name>``) and JSON."""
    state = optimizer.state_dict()
    tensors: Tensors = {}
    numbers: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{name}"] = value
            else:
                numbers.setdefault(str(parameter), {})[name] = value
    return tensors, {"numbers": numbers, "groups": state["param_groups"]}


def load_optimizer(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Put back what :func:`flatten_optimizer` took."""
    state: dict[int, dict[str, Any]] = {
        int(parameter): dict(values) for parameter, values in facts["numbers"].items()
    }
    for key, tensor in tensors.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = tensor
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()}
        for group in facts["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def rng_state(device: torch.device) -> Tensors:
    """The state of torch's own generators, of the CPU and of the device in use."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_rng_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what :func:`rng_state` took."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
