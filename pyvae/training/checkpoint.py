"""A training state as one safetensors file: tensors by name, all else as JSON in its header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from pyvae.errors import RunError
from pyvae.storage import DamagedError, load_tensors, save_tensors
from pyvae.training.distributed.sharding import dealt

__all__ = ["before", "flatten_optimizer", "is_there", "load", "load_last", "load_optimizer", "save"]

Tensors = dict[str, Tensor]

FORMS = ("capturable", "foreach", "fused")  # how an optimizer computes: it goes by the device


def before(path: Path) -> Path:
    """The checkpoint before the one at a path."""
    return path.with_name(f"{path.stem}-before{path.suffix}")


def save(
    path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, keep: bool = False
) -> None:
    """Write a checkpoint; the file appears whole or not at all.

    Args:
        path: the file
        tensors, facts: what it holds
        keep: let the one that is there stay as the one before
    """
    save_tensors(path, tensors, facts, before=before(path) if keep else None)


def is_there(path: Path) -> bool:
    """Whether there is a checkpoint at a path, or one before."""
    return path.is_file() or before(path).is_file()


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


def load_last(path: Path, *, verify: bool = True) -> tuple[Tensors, dict[str, Any], str]:
    """The last checkpoint that is whole, and what is to be said where it is not the last one.

    Args:
        path: of the last one
        verify: compare it with its checksum

    Raises:
        RunError: neither it nor the one before is whole.
    """
    try:
        return *load(path, verify=verify), ""
    except RunError as error:
        if not before(path).is_file():
            raise
        try:
            tensors, facts = load(before(path))
        except RunError:
            raise error from None
        what = error if path.is_file() else f"{path.name} is missing"
        return (
            tensors,
            facts,
            f"{what}; the run goes on from the state before it, after "
            + (f"{facts['step']} steps"),
        )


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
    """Put back what :func:`flatten_optimizer` took; how it is computed stays."""
    state: dict[int, dict[str, Any]] = {
        int(parameter): dict(values) for parameter, values in facts["numbers"].items()
    }
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for key, tensor in tensors.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = dealt(tensor, weights[int(parameter)])
    own = [{n: group[n] for n in FORMS if n in group} for group in optimizer.param_groups]
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()} | form
        for group, form in zip(facts["groups"], own, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
