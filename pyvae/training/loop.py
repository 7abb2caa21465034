"""The training loop, on Lightning Fabric."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pyvae.batch import Batch
from pyvae.config import TrainConfig
from pyvae.data import Batches
from pyvae.errors import UserError, optional
from pyvae.models.base import Model
from pyvae.objectives import Objective
from pyvae.training import checkpoint
from pyvae.training.build import Parts
from pyvae.training.evaluation import evaluate_split
from pyvae.training.folder import RunFolder
from pyvae.training.loggers import CsvLog, Progress, TensorBoardLog
from pyvae.training.optimizers import build_optimizer
from pyvae.training.signals import Interrupted, StopRequest
from pyvae.training.state import TrainingState

__all__ = ["Trainer"]

SAVE_SECONDS = 30.0  # between two checkpoints, at least


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
    for it.

    Args:
        config: the settings
        parts: what :func:`pyvae.training.build.build` made of them
        folder: an existing run folder; a checkpoint in it is taken up
        quiet: show no progress
    """

    def __init__(
        self, config: TrainConfig, parts: Parts, folder: RunFolder, *, quiet: bool = False
    ) -> None:
        self.config, self.parts, self.folder, self.quiet = config, parts, folder, quiet
        self.model, self.objective, self.view = parts.model, parts.objective, parts.view
        self.batches = Batches(parts.view.data.train, config.batch_size, config.seed)
        self.total = config.total_steps(self.batches.steps_per_epoch)
        self._set_up()
        binarization = torch.Generator(parts.device).manual_seed(config.seed)
        self.state = TrainingState(
            self.losses, self.optimizers, self.batches, binarization, parts.device
        )
        if folder.checkpoint.is_file():
            self.state.restore(*checkpoint.load(folder.checkpoint))

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.state.counters.step

    def fit(self, stop: StopRequest) -> None:
        """Train to the end.

        Raises:
            Interrupted: a stop was requested; the state is saved.
            UserError: the loss is no longer finite.
        """
        begun = time.monotonic() - self.state.counters.seconds
        saved = time.monotonic()
        self._csv = CsvLog(self.folder.metrics, self.step)
        self._board = TensorBoardLog(self.folder.path, self.step)
        self._bar = Progress(self.total, self.step, quiet=self.quiet)
        self.model.train()
        try:
            while True:
                if self._evaluation_due():
                    self._record(self._evaluate(stop), time.monotonic() - begun)
                    self.state.counters.evaluated = self.step
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self.save()
                        saved = time.monotonic()
                elif self.state.means.count >= self.config.log_every:
                    self._record({}, time.monotonic() - begun)
                if self.step >= self.total:
                    break
                self.check(stop)
                self._train_step()
                self._bar.step()
            self._record({}, time.monotonic() - begun)
            self.state.counters.seconds = time.monotonic() - begun
            self.save()
        except Interrupted:
            self.state.counters.seconds = time.monotonic() - begun
            self.save()
            raise
        finally:
            self._bar.close()
            self._board.close()

    def save(self) -> None:
        """Save weights and the whole state of training; each file appears whole or not at all."""
        self.model.save_pretrained(self.folder.path)
        checkpoint.save(self.folder.checkpoint, *self.state.capture())

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
        self.state.means.add(terms)
        self.state.counters.step += 1
        self.state.counters.samples += len(x)

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
            tick=lambda: self.check(stop),
        )
        names = ("elbo", "reconstruction", "kl", "log_likelihood", "active_units")
        values = {name: getattr(figures, name) for name in names}
        return {f"{config.eval_split}/{n}": v for n, v in values.items() if v is not None}

    def _record(self, figures: Mapping[str, float], seconds: float) -> None:
        terms = self.state.means.pop()
        if not terms and not figures:
            return
        if not all(
            math.isfinite(value) for name, value in terms.items() if name.startswith("loss")
        ):
            raise UserError(
                f"the loss is no longer finite at step {self.step}; try a smaller --lr "
                f"({self.config.lr} now)"
            )
        row = {
            "step": self.step,
            "epoch": self.step / self.batches.steps_per_epoch,
            "samples": self.state.counters.samples,
            "seconds": round(seconds, 3),
            "lr": self.config.lr_at(max(self._epoch, 0)),
            **{f"train/{name}": value for name, value in terms.items()},
            **figures,
        }
        self._csv.write(row)
        self._board.write(row)
        self._bar.show(row)

    def check(self, stop: StopRequest) -> None:
        """Raises: Interrupted: if a stop was requested."""
        if stop.signal is not None:
            raise Interrupted(stop.signal, self.step)
