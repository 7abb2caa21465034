"""The training loop, on Lightning Fabric."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from pyvae.batch import Batch
from pyvae.config import TrainConfig
from pyvae.errors import UserError, optional
from pyvae.models.base import Model
from pyvae.objectives import Objective
from pyvae.training import checkpoint
from pyvae.training.build import Parts
from pyvae.training.evaluation import evaluate_split
from pyvae.training.folder import RunFolder
from pyvae.training.guard import FiniteGuard, NotFiniteError, divergence, first_not_finite
from pyvae.training.loggers import CsvLog, TensorBoardLog
from pyvae.training.optimizers import build_optimizer
from pyvae.training.progress import Progress
from pyvae.training.saving import SaveClock
from pyvae.training.signals import Interrupted, StopRequest
from pyvae.training.state import TrainingState

__all__ = ["Trainer"]


class _Losses(nn.Module):
    """Model and objective as the one module whose forward Fabric wraps."""

    def __init__(self, model: Model, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(
        self, x: Tensor, y: Tensor | None, extras: Mapping[str, Tensor], phase: str
    ) -> tuple[Tensor, dict[str, Tensor]]:  # not a Batch: Fabric takes no frozen dataclass
        result = self.objective(self.model, Batch(x, y, extras), phase=phase)
        return result.loss, result.terms


class Trainer:
    """Trains the parts of a run and records it in its folder.

    The numbers depend on the settings alone: not on when the run was interrupted, how often it was
    evaluated, or what is shown. Terms stay on the device between two records, so that no step waits
    for it. Only a state whose terms and weights are finite is saved.

    Args:
        config: the settings
        parts: what :func:`pyvae.training.build.build` made of them
        folder: the run folder, which exists when :meth:`fit` is called
        quiet: show no progress
    """

    def __init__(
        self, config: TrainConfig, parts: Parts, folder: RunFolder, *, quiet: bool = False
    ) -> None:
        self.config, self.parts, self.folder, self.quiet = config, parts, folder, quiet
        self.model, self.objective, self.view = parts.model, parts.objective, parts.view
        self.batches = parts.batches(config)
        self.total = config.total_steps(self.batches.steps_per_epoch)
        self._set_up()
        binarization = torch.Generator(parts.device).manual_seed(config.seed)
        self.state = TrainingState(
            self.losses, self.optimizers, self.batches, binarization, parts.device
        )
        self.guard = FiniteGuard()
        self._clock = SaveClock()
        self.saved_step = 0  #: training steps of the state that is on disk

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.state.counters.step

    def resume(self, *, verify: bool = True) -> None:
        """Take up the folder's checkpoint.

        Raises:
            UserError: it is missing, damaged, or of another run.
        """
        self.folder.check_resumable()
        self.state.restore(*checkpoint.load(self.folder.checkpoint, verify=verify))
        self.saved_step = self.step

    def fit(self, stop: StopRequest) -> None:
        """Train to the end.

        Raises:
            Interrupted: a stop was requested; the state is saved.
            UserError: a term of the loss or a weight is no longer finite; the last finite state
                that was saved is still there.
        """
        counters = self.state.counters
        begun = time.monotonic() - counters.seconds
        self._csv = CsvLog(self.folder.metrics, self.step)
        self._board = TensorBoardLog(self.folder.path, self.step)
        self._bar = Progress(self.total, self.step, quiet=self.quiet)
        self.model.train()
        try:
            while True:
                if self._evaluation_due():
                    self._record(self._evaluate(stop), time.monotonic() - begun)
                    counters.evaluated = self.step
                elif self.state.means.count >= self.config.log_every:
                    self._record({}, time.monotonic() - begun)
                if self.step >= self.total:
                    break
                self.check(stop)
                if self._clock.due():
                    counters.seconds = time.monotonic() - begun
                    self.save()
                self._train_step()
                self.guard.look()
                self._bar.step()
            self._record({}, time.monotonic() - begun)
            counters.seconds = time.monotonic() - begun
            self.save()
        except Interrupted:
            counters.seconds = time.monotonic() - begun
            self.save()
            raise
        except NotFiniteError as error:
            raise UserError(self._diverged(error)) from error
        finally:
            self._bar.close()
            self._board.close()

    def save(self) -> None:
        """Save weights and the whole state of training; each file appears whole or not at all.

        Raises:
            UserError: the state is not finite, and what was saved before stays.
        """
        with self._clock.saving():
            try:
                self.guard.look(wait=True)
                tensors, facts = self.state.capture()
                bad = first_not_finite(dict(self.losses.named_parameters()))
                if bad is not None:
                    raise NotFiniteError(bad.partition(".")[2], self.step)
            except NotFiniteError as error:
                raise UserError(self._diverged(error)) from error
            if self.step:
                self.model.save_pretrained(self.folder.path)
            checkpoint.save(self.folder.checkpoint, tensors, facts)
        self.saved_step = self.step

    def check(self, stop: StopRequest) -> None:
        """Raises: Interrupted: if a stop was requested."""
        if stop.signal is not None:
            raise Interrupted(stop.signal, self.step)

    def ticker(self, stop: StopRequest) -> Callable[[], None]:
        """What raises Interrupted, when it is called, if a stop was requested."""
        return lambda: self.check(stop)

    def _set_up(self) -> None:
        device, config = self.parts.device, self.config
        self.fabric = optional("lightning_fabric").Fabric(
            accelerator=device.type, devices=1, precision=config.precision
        )
        self.losses = _Losses(self.model, self.objective)
        self.phases = self.objective.phases(self.model)
        self.optimizers = {
            phase.name: build_optimizer(
                config.optimizer, phase.parameters, config.lr, config.optimizer_args
            )
            for phase in self.phases
        }
        wrapped = self.fabric.setup(self.losses, *self.optimizers.values())
        self._forward, *optimizers = wrapped
        self._wrapped = dict(zip(self.optimizers, optimizers, strict=True))
        self._epoch = -1

    def _train_step(self) -> None:
        epoch = self.batches.epoch
        if epoch != self._epoch:
            self._epoch = epoch
            self._set_lr(self.config.lr_at(epoch))
        stored = self.batches.next()
        x = self.view.train_values(stored.x, self.state.generator)
        self.objective.step_begin(self.step, epoch)
        terms: dict[str, Tensor] = {}
        for phase in self.phases:
            optimizer = self._wrapped[phase.name]
            optimizer.zero_grad()
            loss, named = self._forward(x, stored.y, stored.extras, phase.name)
            self.fabric.backward(loss)
            optimizer.step()
            terms["loss" if len(self.phases) == 1 else f"loss_{phase.name}"] = loss.detach()
            terms |= named
        values = self.state.means.add(terms)
        self.state.counters.step += 1
        self.state.counters.samples += len(x)
        self.guard.add(self.step, tuple(terms), values)

    def _set_lr(self, lr: float) -> None:
        for phase in self.phases:
            for group in self.optimizers[phase.name].param_groups:
                group["lr"] = lr * phase.lr_factor

    def _evaluation_due(self) -> bool:
        if self.step in (0, self.state.counters.evaluated):
            return False
        if self.config.eval_every is None:
            return self.batches.position == 0
        return self.step % self.config.eval_every == 0

    def _evaluate(self, stop: StopRequest) -> dict[str, float]:
        config = self.config
        figures = evaluate_split(
            self.model,
            self.view,
            self.view.held_out(config.eval_split),
            num_samples=0 if config.eval_every is None else config.eval_samples,
            rows=config.eval_subset,
            tick=self.ticker(stop),
        )
        names = ("elbo", "reconstruction", "kl", "log_likelihood", "active_units", "accuracy")
        values = {name: getattr(figures, name) for name in names}
        return {f"{config.eval_split}/{n}": v for n, v in values.items() if v is not None}

    def _record(self, figures: Mapping[str, float], seconds: float) -> None:
        self.guard.look(wait=True)  # the means are read now, which waits anyway
        terms = self.state.means.pop()
        if not terms and not figures:
            return
        row = {
            "step": self.step,
            "epoch": self.step / self.batches.steps_per_epoch,
            "samples": self.state.counters.samples,
            "seconds": round(seconds, 3),
            "lr": self._lr(),
            **{f"train/{name}": value for name, value in terms.items()},
            **figures,
        }
        self._csv.write(row)
        self._board.write(row)
        self._bar.show(row)

    def _lr(self) -> float:
        """The learning rate in force."""
        return self.config.lr_at(max(self._epoch, 0))

    def _diverged(self, error: NotFiniteError) -> str:
        return divergence(
            error,
            rate=self._lr(),
            advice=self.parts.advice,
            saved_step=self.saved_step,
            go_on=f"pyvae train --resume {self.folder.quoted} --lr {self.config.lr / 10:g}",
        )
