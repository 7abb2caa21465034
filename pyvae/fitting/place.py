"""Where a training of :func:`pyvae.fit` is kept: in a run folder, or in the history alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyvae.config import TrainConfig
from pyvae.errors import RunError, UserError
from pyvae.fitting.history import History
from pyvae.fitting.runs import versions
from pyvae.training import RunFolder, Trainer
from pyvae.training.claim import TakenError
from pyvae.training.folder import writing
from pyvae.training.join import said_plainly
from pyvae.training.loggers import read_rows
from pyvae.training.report import TILES

__all__ = ["Place"]

Path_ = str | os.PathLike[str]


class Place:
    """A place for a new training, or that of one which goes on.

    Args:
        folder: the folder of a new run; None: none
        resume: the history or the folder of a training that goes on

    Raises:
        UserError: both are given, or there is nothing to go on from.
    """

    def __init__(self, folder: Path_ | None, resume: History | Path_ | None) -> None:
        if folder is not None and resume is not None:
            raise UserError("fit: folder= is that of a new training, resume= goes on with another")
        self._history = resume if isinstance(resume, History) else None
        self._resumed = resume is not None
        home = resume.folder if isinstance(resume, History) else resume
        place = folder if home is None else home
        self.run = None if place is None else RunFolder(place)
        if self.run is None and self._history is not None and self._history.state is None:
            raise UserError("fit: resume= is a history without a state to go on from")

    def before(self) -> TrainConfig | None:
        """The settings of the training that goes on.

        Raises:
            RunError: its folder is missing or damaged.
        """
        if not self._resumed:
            return None
        if self.run is not None:
            return self.run.config()
        return None if self._history is None else self._history.config

    @contextmanager
    def opened(self, trainer: Trainer, history: History) -> Iterator[None]:
        """Within, the trainer has the state that it goes on from, and writes what it keeps.

        Raises:
            RunError: the folder is taken, missing or damaged, or cannot be written.
        """
        run = self.run
        if run is None:
            if self._history is not None and self._history.state is not None:
                trainer.state.restore(*self._history.state)
                history.rows += self._history.rows
            yield
            return
        history.folder = run.path
        if not self._resumed:
            self._create(run, trainer)
        else:
            run.lock()
        try:
            with writing(run.path):
                if self._resumed:
                    self._take_up(run, trainer, history)
                yield
        finally:
            run.release()

    def _create(self, run: RunFolder, trainer: Trainer) -> None:
        model, parts = trainer.parts.model, trainer.parts
        try:
            run.check_new(overwrite=False)
            side = parts.view.data.train[:TILES].side(model.side_inputs)
            facts = {**versions(), "data": parts.data}
            with said_plainly():  # of models that cannot be written down
                run.create(trainer.config, model, facts, state=trainer.state.capture(), side=side)
        except TakenError as error:
            raise RunError(
                f"fit: {run.path} holds a run already; go on with it by "
                f"resume={str(run.path)!r}, or give another folder"
            ) from error

    def _take_up(self, run: RunFolder, trainer: Trainer, history: History) -> None:
        trainer.resume()
        before = run.config()
        if trainer.config != before:
            run.set_config(trainer.config, trainer.step)
        history.rows += [
            {name: float(value) for name, value in row.items() if value}
            for row in read_rows(run.metrics)[1]
            if int(row["step"]) <= trainer.step
        ]
