"""The training loop, on Lightning Fabric."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.models.base import Model
from pyvae.training import checkpoint
from pyvae.training.distributed.ranks import LostRankError, Ranks
from pyvae.training.folder import RunFolder
from pyvae.training.guard import NotFiniteError, divergence, first_not_finite
from pyvae.training.join import Parts, check_shared, leaves_unused
from pyvae.training.ledger import Ledger
from pyvae.training.monitor import BestModels
from pyvae.training.optimization.engine import Engine
from pyvae.training.optimization.schedule import Schedule
from pyvae.training.out_of_memory import within_memory
from pyvae.training.progress import Progress
from pyvae.training.records import Log, Records
from pyvae.training.saving import SaveClock
from pyvae.training.signals import Interrupted, StopRequest
from pyvae.training.state import TrainingState
from pyvae.training.validation import Validation

__all__ = ["Trainer"]


class Trainer:
    """Trains the parts of a run and records it in its folder.

    The numbers depend on the settings alone: not on when the run was interrupted, how often it was
    evaluated, or what is shown. Terms stay on the device between two records, so that no step waits
    for it. Only a state whose terms and weights are finite is saved.

    Args:
        config: the settings
        parts: what :func:`pyvae.training.build.build` made of them
        folder: the run folder, which exists when :meth:`fit` is called; None: what is saved stays
            in memory, as ``saved``
        quiet: show no progress
        logs: where the records go besides
        go_on: what takes up a run that has diverged with a smaller rate; default: the command
    """

    def __init__(
        self,
        config: TrainConfig,
        parts: Parts,
        folder: RunFolder | None,
        *,
        quiet: bool = False,
        logs: Sequence[Log] = (),
        go_on: str | None = None,
    ) -> None:
        self.config, self.parts, self.quiet = config, parts, quiet
        self._folder, self._logs, self._go_on = folder, logs, go_on
        self.saved: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        self.batches = parts.batches(config)
        self.total = config.total_steps(self.batches.steps_per_epoch)
        alone = config.devices * config.num_nodes == 1
        self.ranks = Ranks(config, parts.device, unused=not alone and leaves_unused(parts))
        if not alone:
            check_shared(parts)
        self.engine = Engine(config, parts, self.ranks)
        self.schedule = Schedule(config, self.total)
        best = BestModels(None if folder is None else folder.path / "best", config.keep)
        self.state = TrainingState(self.engine, self.batches, best)
        self.ledger = Ledger(self.state.means, self.ranks)
        self.validation = Validation(config, parts.view, self.state, self.ranks, quiet=quiet)
        self._clock = SaveClock()
        self.saved_step = 0  #: training steps of the state that is on disk

    @property
    def outcome(self) -> Model:
        """The model that is evaluated and saved: the average of the weights with ``ema``."""
        return self.engine.outcome

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or evaluations have not improved for long enough."""
        patience = self.config.early_stopping
        early = patience is not None and self.state.monitor.waited >= patience
        return early or self.step >= self.total

    @property
    def folder(self) -> RunFolder:
        """The run folder.

        Raises:
            ValueError: the run has none.
        """
        if self._folder is None:
            raise ValueError("this run has no folder")
        return self._folder

    @folder.setter
    def folder(self, folder: RunFolder) -> None:
        self._folder = folder
        self.state.best.folder = folder.path / "best"

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.state.counters.step

    def resume(self, *, verify: bool = True) -> None:
        """Take up the folder's last checkpoint, or the one before if it is damaged.

        Args:
            verify: compare it with its checksum, and take no other

        Raises:
            UserError: it is missing, damaged, or of another run.
        """
        found = None
        if self.ranks.first:
            self.folder.check_resumable()
            found = checkpoint.load_last(self.folder.checkpoint, verify=verify)
        with self.ranks.together():
            tensors, facts, said = self.ranks.share(found)
        self.parts.notes.extend([said] if said else [])
        self.state.restore(tensors, facts)
        self.saved_step = self.step

    def take_saved(self) -> None:
        """Go back to what was saved last, in the folder or in memory."""
        if self._folder is not None:
            self.resume()
        elif self.saved is not None:
            self.state.restore(*self.saved)

    def fit(self, stop: StopRequest) -> None:
        """Train to the end.

        Of several processes all take part, and the first one records, evaluates and saves.

        Raises:
            Interrupted: a stop was requested; the state is saved.
            UserError: a term of the loss or a weight is no longer finite, or another process of
                the run has ended; the last finite state that was saved is still there.
        """
        counters = self.state.counters
        begun = time.monotonic() - counters.seconds
        self._records = self._open_records()
        self._bar = Progress(self.total, self.step, quiet=self.quiet or not self.ranks.first)
        self.parts.model.train()
        try:
            with self.ranks.together():
                self._run(stop, begun)
        except Interrupted:
            counters.seconds = time.monotonic() - begun
            self.save()
            raise
        except NotFiniteError as error:
            raise UserError(self._diverged(error)) from error
        except LostRankError as error:
            raise LostRankError(
                f"{error}; the state after {self.saved_step} steps is kept, continue with: "
                f"pyvae train --resume {self.folder.quoted}"
            ) from error
        finally:
            self._bar.close()
            self._records.close()

    def _run(self, stop: StopRequest, begun: float) -> None:
        counters = self.state.counters
        while True:
            meets = self._meets()
            if meets:
                self.ledger.gather()
            if self.validation.due:
                figures = self.validation(self.ticker(stop))
                self._record(figures, time.monotonic() - begun)
            elif self.state.means.count >= self.config.log_every:
                self._record({}, time.monotonic() - begun)
            if self.finished:
                break
            if meets and self._agree(stop):
                counters.seconds = time.monotonic() - begun
                self.save()
            self._train_step()
            self.ledger.guard.look()
            self._bar.step()
        self._record({}, time.monotonic() - begun)
        counters.seconds = time.monotonic() - begun
        self.save()

    def save(self) -> None:
        """Save weights and the whole state of training; each file appears whole or not at all.

        Of several processes the first one writes, and all take part. Without a folder the state
        is kept in memory.

        Raises:
            UserError: the state is not finite, and what was saved before stays.
        """
        if not self.ranks.first:
            if self.ranks.sharded:
                self.state.capture()
                self.saved_step = self.step
            return
        if self._folder is not None:
            self._folder.check_there()
        with self._clock.saving():
            try:
                tensors, facts = self.state.capture()
                self.ledger.guard.look(wait=True)
                names = [name for name, _ in self.engine.losses.named_parameters()]
                bad = first_not_finite({name: tensors[f"losses/{name}"] for name in names})
                if bad is not None:
                    raise NotFiniteError(bad.partition(".")[2], self.step)
            except NotFiniteError as error:
                raise UserError(self._diverged(error)) from error
            if self._folder is None:
                self.saved = {name: t.clone() for name, t in tensors.items()}, facts
            else:
                if self.step:
                    self.outcome.save_pretrained(self.folder.path)
                # the initial state is worth no place
                checkpoint.save(self.folder.checkpoint, tensors, facts, keep=self.saved_step > 0)
                self.state.best.tidy()
        self.saved_step = self.step

    def leave(self) -> None:
        """Part from the other processes, after the last step."""
        self.engine.unwrap()  # before the group, which must not end with it: see Ranks.leave
        self.ranks.leave()

    def check(self, stop: StopRequest) -> None:
        """Raises: Interrupted: if a stop was requested."""
        if stop.signal is not None:
            raise Interrupted(stop.signal, self.step)

    def ticker(self, stop: StopRequest) -> Callable[[], None]:
        """What raises Interrupted, when it is called, if a stop was requested."""
        return lambda: self.check(stop)

    def _train_step(self) -> None:
        counters, epoch, rows = self.state.counters, self.batches.epoch, self.batches.next_rows
        counters.rate = self.schedule.rate(self.step, epoch, self.state.monitor.reductions)
        stored = self.batches.next_parts(self.config.cuts, self.engine.mine)
        step, alone = partial(self.engine.step, total=rows), self.ranks.size == 1
        terms = within_memory(step, self.step, epoch, counters.rate, stored, tries=alone)
        counters.step += 1
        counters.samples += rows
        if not terms.skipped:
            counters.skipped_last = 0
            self.ledger.add(self.step, terms.values)
            return
        counters.skipped += 1
        counters.skipped_last += 1
        if counters.skipped_last > self.config.max_skipped:
            self.ledger.add(self.step, terms.values)  # which says what was not finite
            self.ledger.gather()
            self.ledger.guard.look(wait=True)

    def _meets(self) -> bool:
        """Whether the processes tell each other of the last steps: it goes by the step."""
        if self.ledger.due(self.step) or self.step >= self.total:
            return True
        return self.ledger.count >= self.config.log_every or self.validation.due

    def _agree(self, stop: StopRequest) -> bool:
        """Whether the first process, whose clock counts, wants to save.

        Raises:
            Interrupted: if any process was asked to stop.
        """
        wanted = self.ranks.first and self._clock.due()
        signal, due = divmod(self.ranks.most(2 * (stop.signal or 0) + wanted), 2)
        if signal:
            raise Interrupted(signal, self.step)
        return bool(due)

    def _record(self, figures: Mapping[str, float], seconds: float) -> None:
        self.ledger.guard.look(wait=True)  # the means are read now, which waits anyway
        terms = self.state.means.pop()
        if not terms and not figures:
            return
        row = {
            "step": self.step,
            "epoch": self.step / self.batches.steps_per_epoch,
            "samples": self.state.counters.samples,
            "seconds": round(seconds, 3),
            "lr": self.state.counters.rate,
            **{f"train/{name}": value for name, value in terms.items()},
            **({"train/skipped": self.state.counters.skipped} if self.config.max_skipped else {}),
            **figures,
        }
        self._records.write(row)
        self._bar.show(row)

    def _open_records(self) -> Records:
        if not self.ranks.first:
            return Records(self.config, None, self.step)
        path = None if self._folder is None else self._folder.path
        return Records(self.config, path, self.step, self._logs)

    def _diverged(self, error: NotFiniteError) -> str:
        return divergence(
            error,
            rate=self.state.counters.rate,
            advice=self.parts.advice,
            saved_step=self.saved_step,
            go_on=self._go_on
            or f"pyvae train --resume {self.folder.quoted} --lr {self.config.lr / 10:g}",
        )
