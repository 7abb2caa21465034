"""What :func:`pyvae.fit` gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pyvae import plots
from pyvae.config import TrainConfig
from pyvae.errors import optional
from pyvae.training.progress import in_notebook

__all__ = ["History"]

State = tuple[Mapping[str, Tensor], Mapping[str, Any]]
SHOWN = 10  # rows of the table that stands for a history
FIRST = ("step", "epoch", "seconds")
NEVER = ("samples", "lr")


class History:
    """The figures of a training, row by row, as in a run folder's ``metrics.csv``.

    Attributes:
        rows: for each record the ``step``, ``epoch``, ``samples`` seen, ``seconds``, ``lr``, means
            of the objective's terms since the record before (``train/elbo``, ...) and, where
            held-out data were looked at, their figures (``valid/elbo``, ...), in nats per datum
        config: the settings of the training
        step: training steps done
        total: training steps that were asked for
        stopped: whether Ctrl-C ended it before
        folder: the run folder, where there is one

    >>> history = History(rows=[{"step": 1, "train/elbo": -3.0}, {"step": 2, "train/elbo": -2.5}])
    >>> history["train/elbo"]
    [-3.0, -2.5]
    """

    def __init__(
        self, config: TrainConfig | None = None, rows: Sequence[Mapping[str, float]] = ()
    ) -> None:
        self.config = config or TrainConfig()
        self.rows: list[dict[str, float]] = [dict(row) for row in rows]
        self.step = self.total = int(self.rows[-1]["step"]) if self.rows else 0
        self.stopped = False
        self.folder: Path | None = None
        self.state: State | None = None  #: what a training that goes on takes up, without a folder

    def write(self, row: Mapping[str, float]) -> None:
        """Take in a row."""
        self.rows.append(dict(row))

    def close(self) -> None:
        """Nothing is pending."""

    @property
    def columns(self) -> list[str]:
        """The names of all figures, in the order in which they came."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name: str) -> list[float]:
        """The values of a figure, of those rows that have it.

        Raises:
            KeyError: no row has it.
        """
        values = [row[name] for row in self.rows if name in row]
        if not values:
            raise KeyError(f"no figure {name!r}; there are {', '.join(self.columns) or 'none'}")
        return values

    def plot(self, names: Sequence[str] | None = None) -> Any:
        """Figures against the number of samples seen, as a matplotlib figure, which notebooks show.

        Args:
            names: of the figures; default: bounds and log-likelihoods

        Raises:
            KeyError: no row has one of them.
            MissingExtraError: matplotlib is not installed.
        """
        for name in names or ():
            self[name]
        if in_notebook():
            optional("matplotlib.pyplot")  # tells the notebook how to show a figure
        return plots.curves_figure(self.rows, names)

    def to_pandas(self) -> Any:
        """All rows as a data frame of pandas; NaN where a row lacks a figure.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return optional("pandas", "notebook").DataFrame(self.rows, columns=self.columns)

    def __repr__(self) -> str:
        how = ", stopped before its end" if self.stopped else ""
        where = "" if self.folder is None else f", in {self.folder}"
        title = f"History: {self.step} of {self.total} training steps{how}{where}"
        names = [n for n in self.columns if n not in (*FIRST, *NEVER)]
        names = [name for name in FIRST if name in self.columns] + names
        shown = self.rows if len(self.rows) <= SHOWN else [self.rows[0], *self.rows[1 - SHOWN :]]
        lines = [names, *([_short(row.get(name)) for name in names] for row in shown)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(map(str.rjust, line, widths)) for line in lines]
        if len(shown) < len(self.rows):
            table.insert(2, "...")
        return "\n".join([title, *(table if self.rows else [])])


def _short(value: float | None) -> str:
    if value is None:
        return ""
    if math.isfinite(value) and value == int(value):
        return str(int(value))
    return f"{value:.4g}"
