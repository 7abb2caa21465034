"""What evaluations say about training: whether it still improves, and which models were best."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyvae.models.base import Model

__all__ = ["BestModels", "Monitor"]


@dataclass
class Monitor:
    """How a figure, of which more is better, has gone on; fit for JSON by ``asdict``.

    Args:
        best: the greatest value so far
        waited: evaluations since then
        endured: of these, those since the learning rate was last reduced
        reductions: how often it was reduced
    """

    best: float | None = None
    waited: int = 0
    endured: int = 0
    reductions: int = 0

    def see(self, figure: float, patience: int) -> None:
        """Take in a figure; the rate is reduced where more than ``patience`` were no better.

        One that is not a number is no better.

        >>> monitor = Monitor()
        >>> for figure in (-3.0, -2.0, -2.0, -2.5, -2.1):
        ...     monitor.see(figure, patience=1)
        >>> monitor
        Monitor(best=-2.0, waited=3, endured=1, reductions=1)
        """
        if figure == figure and (self.best is None or figure > self.best):
            self.best, self.waited, self.endured = figure, 0, 0
            return
        self.waited += 1
        self.endured += 1
        if self.endured > patience:
            self.endured, self.reductions = 0, self.reductions + 1


@dataclass
class BestModels:
    """The models of the evaluations with the greatest figures, in ``best/STEP`` of a run.

    What is in the folder is tidied up only when a checkpoint that knows of it is on disk.

    Args:
        folder: where they lie; None: nowhere, and none is offered
        keep: how many
        kept: figure and step of each, best first
    """

    folder: Path | None
    keep: int
    kept: list[tuple[float, int]] = field(default_factory=list)

    def offer(self, figure: float, step: int, model: Model) -> None:
        """Keep a model if it is among the best; of equal ones the earlier."""
        if figure != figure or self.folder is None:
            return
        ranked = sorted({*self.kept, (figure, step)}, key=lambda one: (-one[0], one[1]))
        ranked = ranked[: self.keep]
        if (figure, step) in ranked:
            model.save_pretrained(self.folder / str(step))
            self.kept = ranked

    def restore(self, kept: Sequence[tuple[float, int]]) -> None:
        """Take up what a checkpoint knew of, as far as it is there."""
        folder = self.folder
        self.kept = [(f, s) for f, s in kept if folder and (folder / str(s)).is_dir()]

    def tidy(self) -> None:
        """Remove those that are no longer among the best."""
        if self.folder is not None and self.folder.is_dir():
            steps = {str(step) for _, step in self.kept}
            for path in self.folder.iterdir():
                if path.name.isdecimal() and path.name not in steps:
                    shutil.rmtree(path, ignore_errors=True)

    @property
    def best(self) -> Path | None:
        """The folder of the best one."""
        return self.folder / str(self.kept[0][1]) if self.folder and self.kept else None
