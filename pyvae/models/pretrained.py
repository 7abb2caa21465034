"""A model as a folder: ``config.json`` and ``model.safetensors``. No pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pyvae.storage import DamagedError, load_tensors, save_tensors, write_whole

__all__ = ["CONFIG", "WEIGHTS", "load", "save", "save_config"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"

# what classes raise about arguments that are of another type, make no sense, or are too big
_REFUSED = (TypeError, ValueError, ArithmeticError, RuntimeError, AttributeError, MemoryError)


def save_config(model: nn.Module, config: dict[str, Any], folder: str | os.PathLike[str]) -> None:
    """Write what builds the model, without weights.

    Raises:
        OSError: the folder cannot be made or written.
    """
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    text = json.dumps(
        {"model": type(model).__name__, "dtype": str(dtype).removeprefix("torch."), **config},
        indent=2,
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / CONFIG, (text + "\n").encode())


def save(model: nn.Module, config: dict[str, Any], folder: str | os.PathLike[str]) -> None:
    """Write the model's config and weights; each file appears whole or not at all.

    Raises:
        ImportError: safetensors is not installed.
        OSError: the folder cannot be made or written.
    """
    folder = Path(folder)
    save_tensors(folder / WEIGHTS, model.state_dict(), {})
    save_config(model, config, folder)


def load(
    name: str,
    build: Callable[..., nn.Module],
    folder: str | os.PathLike[str],
    device: Any = None,
    *,
    verify: bool = True,
) -> Any:
    """Build the model that :func:`save` wrote and fill in its weights.

    Args:
        name: the class that the folder must hold
        build: makes the model from its config
        folder: what was given to :func:`save`
        device: where the model shall be
        verify: compare the weights with their checksum

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file is damaged, or holds another model.
    """
    folder = Path(folder)
    for path in (folder / CONFIG, folder / WEIGHTS):
        if not path.is_file():
            raise FileNotFoundError(f"{folder} holds no saved {name}: {path.name} is missing")
    weights = folder / WEIGHTS
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, dtype = config.pop("model"), vars(torch)[config.pop("dtype")]
        if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise ValueError(f"{dtype} is not a floating-point dtype")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder / CONFIG} is damaged: {error}") from error
    if kind != name:
        raise ValueError(f"{folder} holds a {kind}, expected a {name}")
    try:
        tensors, _ = load_tensors(weights, verify=verify)
    except DamagedError as error:
        raise ValueError(f"{weights} is damaged or does not fit {CONFIG}: {error}") from error
    try:
        model = build(**config).to(dtype=dtype)
    except _REFUSED as error:
        raise ValueError(f"{folder / CONFIG} does not describe a {name}: {error}") from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{weights} is damaged or does not fit {CONFIG}: {error}") from error
    vars(model)["fitted"] = True  # what trains it further lets it not start from the data again
    return model.to(device=device)
