"""A model as a folder: ``config.json`` and ``model.safetensors``. No pickle."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["load", "save"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "saving and loading models needs safetensors: pip install 'pyvae-fused[train]'"
        ) from error
    return safetensors


def _write(path: Path, write: Callable[[str], object]) -> None:
    """Let ``write`` fill a new file beside the path, then put it there in one step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp gives 0o600
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def save(model: nn.Module, config: dict[str, Any], folder: str | os.PathLike[str]) -> None:
    """Write the model's config and weights; each file appears whole or not at all.

    Raises:
        ImportError: safetensors is not installed.
        OSError: the folder cannot be made or written.
    """
    safetensors = _safetensors()
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    text = json.dumps(
        {"model": type(model).__name__, "dtype": str(dtype).removeprefix("torch."), **config},
        indent=2,
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / WEIGHTS, lambda path: safetensors.torch.save_model(model, path))
    _write(folder / CONFIG, lambda path: Path(path).write_text(text + "\n", encoding="utf-8"))


def load(
    name: str, build: Callable[..., nn.Module], folder: str | os.PathLike[str], device: Any = None
) -> Any:
    """Build the model that :func:`save` wrote and fill in its weights.

    Args:
        name: the class that the folder must hold
        build: makes the model from its config
        folder: what was given to :func:`save`
        device: where the model shall be

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file is damaged, or holds another model.
    """
    safetensors = _safetensors()
    folder = Path(folder)
    for path in (folder / CONFIG, folder / WEIGHTS):
        if not path.is_file():
            raise FileNotFoundError(f"{folder} holds no saved {name}: {path.name} is missing")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, dtype = config.pop("model"), getattr(torch, config.pop("dtype"))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{folder / CONFIG} is damaged: {error}") from error
    if kind != name:
        raise ValueError(f"{folder} holds a {kind}, expected a {name}")
    try:
        model = build(**config).to(dtype=dtype)
    except TypeError as error:
        raise ValueError(f"{folder / CONFIG} does not describe a {name}: {error}") from error
    try:
        safetensors.torch.load_model(model, folder / WEIGHTS)
    except (RuntimeError, OSError, safetensors.SafetensorError) as error:
        raise ValueError(
            f"{folder / WEIGHTS} is damaged or does not fit {CONFIG}: {error}"
        ) from error
    return model.to(device=device)
