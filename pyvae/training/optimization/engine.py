"""All that changes the weights, made of a run's settings and parts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from pyvae.batch import Batch
from pyvae.config import TrainConfig
from pyvae.models.base import Model
from pyvae.training.distributed.ranks import Ranks, keep_constants
from pyvae.training.distributed.sharding import Mirror
from pyvae.training.join import Parts
from pyvae.training.optimization.average import Average
from pyvae.training.optimization.graphs import Graphs, check_graphs
from pyvae.training.optimization.noise import Noise
from pyvae.training.optimization.optimizers import FUSED, build_optimizer
from pyvae.training.optimization.step import Compute, Losses, Part, Stepper, Terms

__all__ = ["Engine"]


class Engine:
    """Model, objective, optimizers and the average of the weights, and how a step changes them.

    Args:
        config: the settings
        parts: what :func:`pyvae.training.build.build` made of them
        ranks: the processes that share each batch
    """

    def __init__(self, config: TrainConfig, parts: Parts, ranks: Ranks) -> None:
        self.config, self.parts, self.fabric = config, parts, ranks.fabric
        if config.cuda_graphs:
            check_graphs(parts.device, parts.objective)
        first = ranks.rank * config.accumulate
        self.mine = range(first, first + config.accumulate)  #: the parts of a batch of this process
        self.losses = Losses(parts.model, parts.objective)
        keep_constants(self.losses)
        plain = copy.deepcopy(parts.model) if ranks.sharded else None
        forward = ranks.wrap(torch.compile(self.losses) if config.compile else self.losses)
        self.phases = parts.objective.phases(parts.model)
        self.optimizers = {
            phase.name: phase.own(
                build_optimizer(config.optimizer, phase.parameters, config.lr, _options(config))
            )
            for phase in self.phases
        }
        self.noise = Noise(config.seed, parts.device)
        self._step = Stepper(
            self.fabric,
            forward,
            self.phases,
            {name: ranks.wrap_optimizer(one) for name, one in self.optimizers.items()},
            self.noise,
            clip=config.clip_grad_norm,
            skips=config.max_skipped > 0,
            watches=list(self.losses.buffers()),
            repeats=self._graphs if config.cuda_graphs else None,
        )
        if plain is not None:
            plain = self.fabric.strategy.precision.convert_module(plain)
        self.average = None if config.ema is None else Average(parts.model, config.ema, plain)
        weights = parts.model.parameters() if self.average is None else self.average.weights
        self._mirror = None if plain is None else Mirror(plain, [*weights])

    @property
    def outcome(self) -> Model:
        """The model that is evaluated and saved: the averaged one where there is one."""
        if self._mirror is not None:
            return self._mirror.model
        return self.parts.model if self.average is None else self.average.model

    def step(
        self,
        step: int,
        epoch: int,
        rate: float,
        stored: Sequence[Batch],
        total: int | None = None,
    ) -> Terms:
        """Take a training step.

        Args:
            step, epoch: which one, both counted from 0
            rate: the learning rate
            stored: the parts of a batch that are this process's, as they are stored
            total: the rows of the whole batch; None: these are all
        """
        for phase in self.phases:
            for group in self.optimizers[phase.name].param_groups:
                group["lr"] = rate * phase.lr_factor
        self.parts.objective.step_begin(step, epoch)
        terms = self._step(step, self.values(step, stored, total))
        if self.average is not None and not terms.skipped:
            self.average.update()
        return terms

    def _graphs(self, compute: Compute) -> Graphs:
        weights = [*self.losses.parameters()]
        return Graphs(compute, weights, type(self.parts.objective).__name__)

    def gather(self) -> None:
        """Bring the outcome up to date, where weights are dealt out; all processes do together."""
        if self._mirror is not None:
            self._mirror.gather(self.parts.model)

    def unwrap(self) -> None:
        """Let go of what shares the gradients with other processes; no step can follow."""
        del self._step

    def values(self, step: int, stored: Sequence[Batch], total: int | None = None) -> list[Part]:
        """The parts of a batch as the objective gets them, from rows as they are stored."""
        whole = sum(len(rows) for rows in stored) if total is None else total
        view, noise = self.parts.view, self.noise
        return [
            Part(
                Batch(view.train_values(rows.x, noise.of_data(step, i)), rows.y, rows.extras),
                number=i,
                share=len(rows) / whole,
            )
            for i, rows in zip(self.mine, stored, strict=False)
        ]


def _options(config: TrainConfig) -> dict[str, Any]:
    """The optimizer's; a fused one would scale gradients itself, and they could not be clipped."""
    scales = config.precision == "16" and config.optimizer in FUSED
    return {"fused": False, **config.optimizer_args} if scales else config.optimizer_args
