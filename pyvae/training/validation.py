"""Evaluations on held-out data while a run goes on, and what they steer."""

from __future__ import annotations

from collections.abc import Callable

from pyvae.config import TrainConfig
from pyvae.data.binarize import View
from pyvae.training.distributed.ranks import Ranks
from pyvae.training.evaluation import evaluate_split
from pyvae.training.signals import Interrupted
from pyvae.training.state import TrainingState

__all__ = ["Validation"]


class Validation:
    """When a run is evaluated, what is found, and how the figure that is monitored steers it.

    Args:
        config: the settings
        view: the data
        state: of training, whose counters and monitor it keeps
        ranks: the processes, of which the first one evaluates for all
        quiet: whether not to tell how far a longer evaluation is
    """

    def __init__(
        self,
        config: TrainConfig,
        view: View,
        state: TrainingState,
        ranks: Ranks,
        *,
        quiet: bool = False,
    ) -> None:
        self.config, self.view, self.state, self.ranks = config, view, state, ranks
        self.quiet = quiet

    @property
    def due(self) -> bool:
        """Whether an evaluation comes after the steps that are done."""
        counters = self.state.counters
        if counters.step in (0, counters.evaluated):
            return False
        if not len(self.view.held_out(self.config.eval_split)):
            return False
        if self.config.eval_every is None:
            return self.state.batches.position == 0
        return counters.step % self.config.eval_every == 0

    def __call__(self, check: Callable[[], None]) -> dict[str, float]:
        """Evaluate, and let the figure that is monitored steer the run.

        Args:
            check: raises Interrupted if a stop was requested

        Returns:
            The figures, by names such as ``valid/elbo``, the same in all processes.

        Raises:
            Interrupted: a stop was requested in the first process, which is for all.
        """
        state, config = self.state, self.config
        state.engine.gather()
        figures = self._of_the_first(check)
        if config.monitors:
            figure = figures[config.monitor]
            state.monitor.see(figure, config.lr_patience)
            if config.keep and self.ranks.first:
                state.best.offer(figure, state.counters.step, state.engine.outcome)
        state.counters.evaluated = state.counters.step
        return figures

    def _of_the_first(self, check: Callable[[], None]) -> dict[str, float]:
        figures: dict[str, float] = {}
        signal = 0
        if self.ranks.first:
            try:
                figures = self._figures(check)
            except Interrupted as interrupted:
                if self.ranks.size == 1:
                    raise
                signal = interrupted.number
        shared: tuple[dict[str, float], int] = self.ranks.share((figures, signal))
        if shared[1]:
            raise Interrupted(shared[1], self.state.counters.step)
        return shared[0]

    def _figures(self, check: Callable[[], None]) -> dict[str, float]:
        config = self.config
        figures = evaluate_split(
            self.state.engine.outcome,
            self.view,
            self.view.held_out(config.eval_split),
            num_samples=0 if config.eval_every is None else config.eval_samples,
            rows=config.eval_subset,
            tick=check,
            quiet=self.quiet,
        )
        names = ("elbo", "reconstruction", "kl", "log_likelihood", "active_units", "accuracy")
        values = {name: getattr(figures, name) for name in names}
        return {f"{config.eval_split}/{n}": v for n, v in values.items() if v is not None}
