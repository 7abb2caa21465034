"""A search for the best settings by many runs, each in a folder, on Optuna."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvae.config import TrainConfig
from pyvae.errors import RunError, UserError, optional
from pyvae.fitting.runs import finish, layered_config, resume, start
from pyvae.fitting.space import Space
from pyvae.storage import write_whole
from pyvae.training import RunFolder, StopRequest
from pyvae.training.folder import writing
from pyvae.training.loggers import read_rows

__all__ = ["Sweep", "Trial"]

STUDY, KEPT = "study.db", "sweep.json"


@dataclass(frozen=True)
class Trial:
    """A run of a sweep.

    Args:
        number: counted from 0
        value: its figure; None: it failed
        settings: what was drawn for it
        folder: its run folder
    """

    number: int
    value: float | None
    settings: dict[str, Any]
    folder: Path


class Sweep:
    """A study in a folder, which goes on where it was interrupted.

    Args:
        folder: ``study.db``, and a run folder for each trial
        fixed: the settings of every trial
        space: what is drawn for each
        metric: the column of ``metrics.csv`` whose last value counts
        minimize: whether the least is the best; default: the greatest
        say: is told what happens

    Raises:
        RunError: the folder holds another sweep, or something else.
        UserError: the settings make no sense, whatever is drawn.
        MissingExtraError: optuna is not installed.
    """

    def __init__(
        self,
        folder: Path,
        fixed: dict[str, Any],
        space: Space,
        *,
        metric: str = "valid/elbo",
        minimize: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._optuna: Any = optional("optuna", "sweep")
        self.folder, self.fixed, self.space = folder, fixed, space
        self.metric, self.minimize, self._say = metric, minimize, say
        self.base = layered_config(fixed)
        if self.base.devices * self.base.num_nodes > 1:
            raise UserError("a sweep trains each run in one process; leave --devices at 1")
        split = metric.partition("/")[0]
        if split not in (self.base.eval_split, "train"):
            raise UserError(
                f"--metric {metric} is never recorded: --eval-split is {self.base.eval_split}"
            )
        with writing(folder):
            self._claim()
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self._study = self._optuna.create_study(
            storage=f"sqlite:///{(folder / STUDY).absolute()}",
            study_name="pyvae",
            direction="minimize" if minimize else "maximize",
            load_if_exists=True,
        )

    def run(self, trials: int, stop: StopRequest) -> None:
        """Run trials until so many have ended in all.

        A trial that was interrupted goes on from its checkpoint. One that fails (its training
        diverges, say) counts, and the search goes on.

        Raises:
            Interrupted: a stop was requested.
            UserError: no trial has succeeded.
        """
        states = self._optuna.trial.TrialState
        for old in self._study.get_trials(states=(states.RUNNING,)):
            trial = self._optuna.trial.Trial(self._study, old._trial_id)
            self._one(trial, stop)
        while len(self.trials()) < trials:
            number = len(self._study.trials)
            sampler = self._optuna.samplers.TPESampler(seed=self.base.seed + number)
            self._study.sampler = sampler
            self._one(self._study.ask(), stop)
        ended = self.trials()
        if ended and all(trial.value is None for trial in ended):
            raise UserError(f"none of {len(ended)} trials has succeeded: {self._failure()}")

    def trials(self) -> list[Trial]:
        """Those that have ended, the best first and those that failed last."""
        found = [
            Trial(t.number, t.value, t.user_attrs.get("settings", {}), self._home(t.number))
            for t in self._study.get_trials(deepcopy=False)
            if t.state.is_finished()
        ]
        sign = 1 if self.minimize else -1
        return sorted(found, key=lambda t: (t.value is None, sign * (t.value or 0), t.number))

    def _one(self, trial: Any, stop: StopRequest) -> None:
        drawn = self.space.draw(trial)
        trial.set_user_attr("settings", drawn)
        home = self._home(trial.number)
        self._say(f"trial {trial.number}: {told(drawn)}")
        try:
            value = self._figure(layered_config(self.fixed, drawn), home, stop)
        except UserError as error:
            trial.set_user_attr("failure", str(error))
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            self._say(f"trial {trial.number} failed: {error}")
        else:
            self._study.tell(trial, value)
            self._say(f"trial {trial.number}: {self.metric} {value:.6g}")

    def _figure(self, config: TrainConfig, home: Path, stop: StopRequest) -> float:
        """The figure of a run, which is trained to its end if it is not there already."""
        folder = RunFolder(home)
        if not (home / "results.json").is_file():
            begun = folder.checkpoint.is_file()
            trainer = resume(folder, {}, quiet=True) if begun else self._start(config, home)
            try:
                with writing(home):
                    finish(trainer, stop)
            finally:
                trainer.folder.release()
        values = [row[self.metric] for row in read_rows(folder.metrics)[1] if row.get(self.metric)]
        if not values:
            raise UserError(f"the run {home} has no {self.metric} in its {folder.metrics.name}")
        return float(values[-1])

    def _start(self, config: TrainConfig, home: Path) -> Any:
        return start(config, [home], quiet=True)

    def _home(self, number: int) -> Path:
        return self.folder / f"trial-{number:04}"

    def _claim(self) -> None:
        """Make the folder, or see that it holds this sweep."""
        kept = self.folder / KEPT
        mine = json.loads(
            json.dumps(
                {
                    "settings": self.base.to_dict(),
                    "search": {name: vars(axis) for name, axis in self.space.axes.items()},
                    "metric": self.metric,
                    "minimize": self.minimize,
                }
            )
        )
        if kept.is_file():
            try:
                before = json.loads(kept.read_text(encoding="utf-8"))
            except ValueError as error:
                raise RunError(f"{kept} is cut short or damaged: {error}") from error
            if before != mine:
                raise RunError(
                    f"{self.folder} holds a sweep with other settings; choose another --out"
                )
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise RunError(f"{self.folder} exists and holds no sweep; choose another --out")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(kept, (json.dumps(mine, indent=2) + "\n").encode())

    def _failure(self) -> str:
        trials = self._study.get_trials(deepcopy=False)
        return str(trials[-1].user_attrs.get("failure", "for no known reason"))


def told(settings: dict[str, Any]) -> str:
    """Settings in one line.

    >>> told({"lr": 0.00123456, "encoder_args": {"hidden": [5]}})
    'lr 0.001235, encoder_args.hidden [5]'
    """
    words = []
    for name, value in settings.items():
        options = value.items() if isinstance(value, dict) else [(None, value)]
        for option, one in options:
            shown = f"{one:.4g}" if isinstance(one, float) else str(one)
            words.append(f"{name if option is None else f'{name}.{option}'} {shown}")
    return ", ".join(words)
