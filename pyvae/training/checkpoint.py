"""A training state as one safetensors file: tensors by name, all else as JSON in its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from pyvae.errors import RunError
from pyvae.storage import DamagedError, load_tensors, save_tensors

__all__ = ["flatten_optimizer", "load", "load_optimizer", "save"]

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
