"""The folder of a run: it appears complete and is never overwritten by accident.

``config.json`` and ``model.safetensors`` hold the model (``pyvae.VAE.from_pretrained(folder)``),
``train.json`` the settings, ``metrics.csv`` and TensorBoard's events the curves,
``checkpoint.safetensors`` what ``--resume`` needs, ``results.json`` the final figures.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from pyvae.config import TrainConfig
from pyvae.errors import RunError
from pyvae.models.base import Model
from pyvae.registry import models

__all__ = ["RunFolder", "free_name"]

SETTINGS = "train.json"


def free_name(stem: str) -> Path:
    """``stem``, or the first of ``stem-2``, ``stem-3``, ... that does not exist yet."""
    path, number = Path(stem), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}")
    return path


class RunFolder:
    """A run folder on disk.

    Args:
        path: where it is, or will be
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics = self.path / "metrics.csv"

    def check_new(self, overwrite: bool) -> None:
        """Look, without writing, whether the folder can be made.

        Raises:
            RunError: something is in the way, or the place cannot be written.
        """
        path = self.path
        try:
            if path.is_dir() and any(path.iterdir()):
                if not (path / SETTINGS).is_file():
                    raise RunError(f"{path} exists and is not a run folder; choose another --out")
                if not overwrite:
                    raise RunError(
                        f"{path} holds a run already; choose another --out, continue it with "
                        f"--resume {path}, or replace it with --overwrite"
                    )
            elif path.exists() and not path.is_dir():
                raise RunError(f"{path} exists and is not a folder; choose another --out")
            parent = path.absolute().parent
            while not parent.exists():
                parent = parent.parent
        except OSError as error:
            raise RunError(f"cannot write the run folder {path}: {error.strerror}") from error
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise RunError(f"cannot write the run folder {path}: {parent} is no writable folder")

    def create(self, config: TrainConfig, model: Model, facts: Mapping[str, Any]) -> None:
        """Make the folder, with settings and initial weights, in one step; a run there is replaced.

        Raises:
            RunError: it cannot be written.
        """
        temporary = None
        try:
            self.path.absolute().parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".pyvae-", dir=self.path.absolute().parent))
            temporary.chmod(0o755)
            model.save_pretrained(temporary)
            text = json.dumps({**facts, "settings": config.to_dict()}, indent=2)
            (temporary / SETTINGS).write_text(text + "\n", encoding="utf-8")
            if self.path.exists():
                shutil.rmtree(self.path)
            os.replace(temporary, self.path)
        except OSError as error:
            raise RunError(
                f"cannot write the run folder {self.path}: {error.strerror or error}"
            ) from error
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)

    def config(self) -> TrainConfig:
        """The settings of the run.

        Raises:
            RunError: there is no run here, or its settings are damaged.
        """
        file = self.path / SETTINGS
        if not file.is_file():
            what = "has no train.json" if self.path.is_dir() else "does not exist"
            raise RunError(f"{self.path} is not a run folder: it {what}")
        try:
            return TrainConfig.from_dict(json.loads(file.read_text(encoding="utf-8"))["settings"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{file} is cut short or damaged: {error}") from error

    def set_config(self, config: TrainConfig) -> None:
        """Write settings that changed; what else the file holds stays."""
        file = self.path / SETTINGS
        record = json.loads(file.read_text(encoding="utf-8"))
        self.write_json(SETTINGS, {**record, "settings": config.to_dict()})

    def model(self, device: torch.device | str = "cpu") -> Model:
        """The model with the weights of the last checkpoint, in eval mode.

        Raises:
            RunError: there is no run here, or it is cut short.
        """
        name = self.config().model
        try:
            model: Model = cast(Any, models.get(name)).from_pretrained(self.path, device=device)
        except (OSError, ValueError, LookupError, ImportError) as error:
            raise RunError(f"the run in {self.path} cannot be read: {error}") from error
        return model.eval()

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file; it appears whole or not at all."""
        temporary = self.path / f".{name}.tmp"
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, self.path / name)
