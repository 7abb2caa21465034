"""Experiment trackers, to which a run's rows go as well: Weights & Biases, MLflow.

What they need to know (server, project, offline or not) stands in their own environment variables.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyvae.config import TrainConfig
from pyvae.errors import UserError, optional
from pyvae.storage import write_whole

__all__ = ["TRACKERS", "MlflowLog", "WandbLog"]

Row = Mapping[str, float]
PROJECT = "pyvae"  # where the environment names none
IDENTITIES = "trackers.json"  # in the run folder: under which identity a tracker knows the run


def _identities(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / IDENTITIES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(folder: Path, tracker: str, identity: str) -> None:
    known = {**_identities(folder), tracker: identity}
    write_whole(folder / IDENTITIES, (json.dumps(known, indent=2) + "\n").encode())


def _figures(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "step"}


class WandbLog:
    """A run of Weights & Biases; ``WANDB_MODE=offline`` keeps it in the run folder.

    Args:
        config: the settings, which are recorded with the run
        folder: the run folder; a run that is resumed goes on under the same identity

    Raises:
        MissingExtraError: wandb is not installed.
        UserError: it cannot begin, without a login for instance.
    """

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        wandb: Any = optional("wandb", "wandb")
        identity = _identities(folder).get("wandb") or uuid.uuid4().hex[:8]
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=folder.absolute().name,
                dir=str(folder),
                id=identity,
                resume="allow",
                config=config.to_dict(),
            )
        except Exception as error:
            raise UserError(f"--log wandb: {error}; WANDB_MODE=offline needs no login") from error
        _remember(folder, "wandb", identity)

    def write(self, row: Row) -> None:
        """One row, at its step."""
        self._run.log(_figures(row), step=int(row["step"]))

    def close(self) -> None:
        """Hand over what is pending."""
        self._run.finish()


class MlflowLog:
    """A run of MLflow, at ``MLFLOW_TRACKING_URI`` or where MLflow puts it on this machine.

    Args:
        config: the settings, which become the run's parameters
        folder: the run folder; a run that is resumed goes on under the same identity

    Raises:
        MissingExtraError: mlflow is not installed.
        UserError: it cannot begin: no server answers, for instance.
    """

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        mlflow: Any = optional("mlflow", "mlflow")
        self._metric = mlflow.entities.Metric
        try:
            self._client = mlflow.MlflowClient()
            self._id = self._known(folder) or self._new(config, folder)
        except Exception as error:
            raise UserError(f"--log mlflow: {error}") from error
        _remember(folder, "mlflow", self._id)

    def _known(self, folder: Path) -> str | None:
        identity = _identities(folder).get("mlflow")
        if identity is not None:
            try:
                self._client.update_run(identity, status="RUNNING")
            except Exception:  # of another server, or deleted there
                return None
        return identity

    def _new(self, config: TrainConfig, folder: Path) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self._client.get_experiment_by_name(name)
        where = experiment.experiment_id if experiment else self._client.create_experiment(name)
        run = self._client.create_run(where, run_name=folder.absolute().name)
        for key, value in config.to_dict().items():
            self._client.log_param(run.info.run_id, key, json.dumps(value))
        return str(run.info.run_id)

    def write(self, row: Row) -> None:
        """One row, at its step."""
        step, now = int(row["step"]), int(1000 * time.time())
        metrics = [self._metric(name, value, now, step) for name, value in _figures(row).items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        """Say that the process has ended."""
        self._client.set_terminated(self._id)


#: The values of ``--log``.
TRACKERS: dict[str, Callable[[TrainConfig, Path], WandbLog | MlflowLog]] = {
    "wandb": WandbLog,
    "mlflow": MlflowLog,
}
