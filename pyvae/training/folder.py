"""The folder of a run: it appears complete, has one writer, and is never overwritten by accident.

``config.json`` and ``model.safetensors`` hold the model (``pyvae.VAE.from_pretrained(folder)``),
``config.yaml`` the settings as ``--config`` reads them, ``train.json`` also what is known of the
data, ``metrics.csv`` and TensorBoard's events the curves, ``checkpoint.safetensors`` what
``--resume`` needs, ``results.json`` the final figures.
The model appears with the first training step that is saved: initial weights are not a result.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from pyvae.config import TrainConfig
from pyvae.config_files import yaml_text
from pyvae.data.conditions import Conditions
from pyvae.data.encoding import Encoding
from pyvae.errors import RunError, UserError
from pyvae.models.base import Model
from pyvae.models.pretrained import WEIGHTS, save_config
from pyvae.registry import models
from pyvae.storage import (
    DamagedError,
    load_tensors,
    remove_unfinished,
    save_tensors,
    write_whole,
)
from pyvae.training import checkpoint
from pyvae.training.claim import TakenError, claim
from pyvae.training.lock import FolderLock

__all__ = ["RunFolder", "writing"]

SETTINGS, SIDE = "train.json", "side_inputs.safetensors"
CONFIG = "config.yaml"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within, a disk that is full or a place that cannot be written is said in one sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write the run folder {path}: {error.strerror or error}") from error


class RunFolder:
    """A run folder on disk.

    Args:
        path: where it is, or will be
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics = self.path / "metrics.csv"
        self._lock: FolderLock | None = None

    @property
    def quoted(self) -> str:
        """The path as a word of a command line."""
        return shlex.quote(str(self.path))

    # Making it

    def check_new(self, overwrite: bool = True) -> None:
        """Look, without writing, whether the folder can be made.

        Raises:
            RunError: something is in the way, or the place cannot be written.
        """
        path = self.path
        with writing(path):
            if path.is_dir() and any(path.iterdir()):
                if not (path / SETTINGS).is_file():
                    raise RunError(f"{path} exists and is not a run folder; choose another --out")
                if not overwrite:
                    raise TakenError.of(
                        path,
                        "holds a run already",
                        f", continue it with --resume {self.quoted}, "
                        f"or replace it with --overwrite",
                    )
            elif path.exists() and not path.is_dir():
                raise RunError(f"{path} exists and is not a folder; choose another --out")
            parent = path.absolute().parent
            while not parent.exists():
                parent = parent.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise RunError(f"cannot write the run folder {path}: {parent} is no writable folder")

    def create(
        self,
        config: TrainConfig,
        model: Model,
        facts: Mapping[str, Any],
        *,
        state: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None = None,
        side: Mapping[str, Tensor] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Make the folder in one step, and lock it until :meth:`release`.

        Args:
            config: the settings
            model: what is trained; its weights are not written
            facts: what else ``train.json`` holds
            state: the first checkpoint
            side: some side inputs of the model, for samples without the data
            overwrite: take the place of a run that is there

        Raises:
            TakenError: there is something under the name.
            RunError: a process writes the run that is there, or the folder cannot be written.
        """

        def fill(folder: Path) -> None:
            save_config(model, model.config, folder)
            if state is not None:
                checkpoint.save(folder / self.checkpoint.name, *state)
            if side:
                save_tensors(folder / SIDE, side, {})
            self._write_config(folder, config)
            record = {**facts, "settings": config.to_dict()}
            write_whole(folder / SETTINGS, (json.dumps(record, indent=2) + "\n").encode())

        with writing(self.path):
            self._lock = claim(self.path, fill, self.check_new if overwrite else None)

    # Its one writer

    def lock(self) -> None:
        """Be the only one that writes here, until :meth:`release`.

        Raises:
            RunError: another process writes here, or it cannot be written.
        """
        if self._lock is None:
            with writing(self.path):
                lock = FolderLock(Path(os.path.realpath(self.path)))
                lock.acquire()
                self._lock = lock
                remove_unfinished(self.path)

    def check_there(self) -> None:
        """Raises: RunError: the folder is no longer the one that was locked."""
        if self._lock is not None and not self._lock.held:
            raise RunError(
                f"the run folder {self.path} has gone while it was written: it was moved or "
                f"removed, or its disk is no longer there; bring it back and go on with "
                f"pyvae train --resume {self.quoted}"
            )

    def release(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # What is in it

    def record(self) -> dict[str, Any]:
        """All of ``train.json``: settings, versions, what is known of the data.

        Raises:
            RunError: there is no run here, or the file is damaged.
        """
        file = self.path / SETTINGS
        if not file.is_file():
            what = "has no train.json" if self.path.is_dir() else "does not exist"
            raise RunError(f"{self.path} is not a run folder: it {what}")
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
                raise ValueError("it holds no settings")
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{file} is cut short or damaged: {error}") from error
        return record

    def config(self) -> TrainConfig:
        """The settings of the run.

        Raises:
            RunError: there is no run here, or its settings are damaged.
        """
        try:
            return TrainConfig.from_dict(self.record()["settings"])
        except RunError:
            raise
        except ValueError as error:
            raise RunError(f"{self.path / SETTINGS} is cut short or damaged: {error}") from error

    def set_config(self, config: TrainConfig, step: int) -> None:
        """Write settings that changed at a step; the file remembers what they were before."""
        record, settings = self.record(), config.to_dict()
        before = record["settings"]
        changed = {
            name: [before.get(name), value]
            for name, value in settings.items()
            if before.get(name) != value
        }
        changes = [*record.get("changes", []), {"step": step, **changed}]
        self.write_json(SETTINGS, {**record, "settings": settings, "changes": changes})
        self._write_config(self.path, config)

    @staticmethod
    def _write_config(folder: Path, config: TrainConfig) -> None:
        head = "# The settings of this run. The same run again: pyvae train --config THIS_FILE\n"
        write_whole(folder / CONFIG, (head + yaml_text(config.to_dict())).encode())

    def model(self, device: torch.device | str = "cpu", *, verify: bool = True) -> Model:
        """The model with the weights of the last checkpoint, in eval mode.

        Args:
            device: where it shall be
            verify: compare the weights with their checksum

        Raises:
            RunError: there is no run here, it is cut short, or nothing has been trained yet.
        """
        name = self.config().model
        if self.checkpoint.is_file() and not (self.path / WEIGHTS).is_file():
            raise RunError(
                f"{self.path} has no trained model yet: {WEIGHTS} comes with the first training "
                f"steps that are saved; go on with pyvae train --resume {self.quoted}"
            )
        try:
            kind = cast(Any, models.get(name))
            model: Model = kind.from_pretrained(self.path, device=device, verify=verify)
        except (OSError, ValueError, LookupError, ImportError) as error:
            raise RunError(f"the run in {self.path} cannot be read: {error}") from error
        return model.eval()

    def check_resumable(self) -> None:
        """Raises: RunError: there is no checkpoint to go on from."""
        if not checkpoint.is_there(self.checkpoint):
            raise RunError(
                f"{self.path} cannot be continued: {self.checkpoint.name} is missing; bring it "
                f"back, or train anew in its place with --out {self.quoted} --overwrite"
            )

    def test_side(self, model: Model) -> dict[str, Tensor]:
        """The side inputs of the model of some test data (B, ...), to draw samples with.

        Raises:
            RunError: the file is missing or damaged.
        """
        wanted = [name for name in model.side_inputs if name != "mask"]  # a sample is whole
        if not wanted:
            return {}
        try:
            tensors = load_tensors(self.path / SIDE)[0]
        except DamagedError as error:
            raise RunError(f"samples need {', '.join(wanted)}, but {error}") from error
        missing = [name for name in wanted if name not in tensors]
        if missing:
            raise RunError(f"samples need {missing[0]}, which {self.path / SIDE} does not hold")
        return {name: tensors[name] for name in wanted}

    def encoding(self) -> Encoding:
        """How the data of the run became numbers.

        Raises:
            RunError: ``train.json`` is damaged.
        """
        data = self.record().get("data", {})
        try:
            return Encoding.from_dict(data if isinstance(data, dict) else {})
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.path / SETTINGS} is damaged: its data: {error}") from error

    def conditions(self) -> Conditions:
        """What the model was given with the data.

        Raises:
            UserError: the model is given nothing.
            RunError: ``train.json`` is damaged.
        """
        found = self.encoding().conditions
        if found is None:
            raise UserError(f"{self.path} was trained without conditions (pyvae train --condition)")
        return found

    def white(self) -> float:
        """The value of the data that is drawn as white.

        Raises:
            RunError: ``train.json`` is damaged.
        """
        data = self.record().get("data", {})
        white = data.get("white", 1.0) if isinstance(data, dict) else None
        if not isinstance(white, (int, float)) or not white > 0:
            raise RunError(f"{self.path / SETTINGS} is damaged: its white is {white!r}")
        return float(white)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file; it appears whole or not at all."""
        write_whole(self.path / name, (json.dumps(content, indent=2) + "\n").encode())
