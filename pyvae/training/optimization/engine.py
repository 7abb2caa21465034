"""All that changes the weights, made of a run's settings and parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pyvae.batch import Batch
from pyvae.config import TrainConfig
from pyvae.errors import optional
from pyvae.models.base import Model
from pyvae.training.build import Parts
from pyvae.training.optimization.noise import Noise
from pyvae.training.optimization.optimizers import build_optimizer
from pyvae.training.optimization.step import Losses, Part, Stepper, Terms

__all__ = ["Engine"]


class Engine:
    """Model, objective, optimizers and the average of the weights, and how a step changes them.

    Args:
        config: the settings
        parts: what :func:`pyvae.training.build.build` made of them
    """

    def __init__(self, config: TrainConfig, parts: Parts) -> None:
        self.config, self.parts = config, parts
        self.fabric = optional("lightning_fabric").Fabric(
            accelerator=parts.device.type, devices=1, precision=config.precision
        )
        self.losses = Losses(parts.model, parts.objective)
        self.phases = parts.objective.phases(parts.model)
        self.optimizers = {
            phase.name: build_optimizer(
                config.optimizer, phase.parameters, config.lr, config.optimizer_args
            )
            for phase in self.phases
        }
        forward, *wrapped = self.fabric.setup(self.losses, *self.optimizers.values())
        self.noise = Noise(config.seed, parts.device)
        self._step = Stepper(
            self.fabric,
            forward,
            self.phases,
            dict(zip(self.optimizers, wrapped, strict=True)),
            self.noise,
            clip=config.clip_grad_norm,
            skips=config.max_skipped > 0,
            watches=list(self.losses.buffers()),
        )
        self.average = (
            None
            if config.ema is None
            else AveragedModel(parts.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
        )

    @property
    def outcome(self) -> Model:
        """The model that is evaluated and saved: the averaged one where there is one."""
        return self.parts.model if self.average is None else cast(Model, self.average.module)

    def values(self, step: int, stored: Sequence[Batch]) -> list[Part]:
        """The parts of a batch as the objective gets them, from rows as they are stored."""
        total = sum(len(rows) for rows in stored)
        view, noise = self.parts.view, self.noise
        return [
            Part(
                Batch(view.train_values(rows.x, noise.of_data(step, i)), rows.y, rows.extras),
                number=i,
                share=len(rows) / total,
            )
            for i, rows in enumerate(stored)
        ]

    def step(self, step: int, epoch: int, rate: float, stored: Sequence[Batch]) -> Terms:
        """Take a training step.

        Args:
            step, epoch: which one, both counted from 0
            rate: the learning rate
            stored: the parts of a batch, as they are stored
        """
        for phase in self.phases:
            for group in self.optimizers[phase.name].param_groups:
                group["lr"] = rate * phase.lr_factor
        self.parts.objective.step_begin(step, epoch)
        terms = self._step(step, self.values(step, stored))
        if self.average is not None and not terms.skipped:
            self.average.update_parameters(self.parts.model)
        return terms
