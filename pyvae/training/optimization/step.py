"""One training step: each phase's loss, over the parts of a batch, and its optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from pyvae.batch import Batch
from pyvae.models.base import Model
from pyvae.objectives import Objective, Phase
from pyvae.training.distributed.sharding import whole
from pyvae.training.optimization.noise import Noise

__all__ = ["Losses", "Part", "Stepper", "Terms"]

MARGIN = 1e-6  # which torch adds to a norm before it divides by it


class Losses(nn.Module):
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


@dataclass(frozen=True)
class Part:
    """Some rows of a batch.

    Args:
        rows: the data, as the objective gets them
        number: which part of the batch they are
        share: of the batch's rows; the shares of all parts add up to 1
    """

    rows: Batch
    number: int
    share: float


#: What adds the gradients of a phase on a part, the batch's last or not, and gives its terms.
Compute = Callable[[Part, Phase, bool], list[tuple[str, Tensor]]]


@dataclass(frozen=True)
class Terms:
    """What a step found.

    Args:
        values: the terms of the loss by name, each summed over the parts with their shares
        skipped: whether a phase was skipped, as its gradient was not finite
    """

    values: dict[str, Tensor]
    skipped: bool


class Stepper:
    """Goes through the phases of a step.

    Gradients of a batch that is cut into parts are summed with their shares: the gradient of a loss
    that is a mean over rows is that of the whole batch.

    Args:
        fabric: what precision and devices are known to
        losses: the module that Fabric wrapped
        phases: of the objective
        optimizers: their optimizers, which Fabric wrapped
        noise: of the run
        clip: the greatest norm of a phase's gradient; None: any
        skips: whether a phase whose gradient is not finite is skipped. Where it is, the host looks
            at the norm in each step.
        watches: tensors besides the weights, which a phase that is skipped leaves as they were
        repeats: wraps what computes a phase's gradients, such as :class:`Graphs`; None: nothing
    """

    def __init__(
        self,
        fabric: Any,
        losses: Callable[..., Any],
        phases: Sequence[Phase],
        optimizers: Mapping[str, Any],
        noise: Noise,
        *,
        clip: float | None = None,
        skips: bool = False,
        watches: Sequence[Tensor] = (),
        repeats: Callable[[Compute], Compute] | None = None,
    ) -> None:
        self._fabric, self._losses, self._noise = fabric, losses, noise
        self._phases, self._optimizers = phases, optimizers
        self._clip, self._skips = clip, skips  # either of them needs the gradient's norm
        self._watches = watches if skips else ()
        self._repeated = None if repeats is None else repeats(self._backward)
        self._kept: Tensor | None = None
        self._scales = getattr(fabric.strategy.precision, "scaler", None) is not None

    def __call__(self, step: int, parts: Sequence[Part]) -> Terms:
        """Change the weights once.

        Args:
            step: the training step, counted from 0
            parts: those of the batch that this process computes
        """
        terms: dict[str, Tensor] = {}
        skipped = False
        compute = self._repeated or self._backward
        for index, phase in enumerate(self._phases):
            kept = [tensor.clone() for tensor in self._watches]
            optimizer = self._optimizers[phase.name]
            for weight in phase.parameters:
                weight.grad = None
            name = "" if len(self._phases) == 1 else f"_{phase.name}"
            for place, part in enumerate(parts):
                self._noise.begin(step, part.number, index)
                for term, value in compute(part, phase, place + 1 == len(parts)):
                    term = f"loss{name}" if term == "loss" else term
                    terms[term] = terms[term] + value if place else value
            if self._clip is None and not self._skips:
                optimizer.step()
                continue
            norm, finite = self._norm(phase, optimizer)
            terms[f"grad_norm{name}"] = norm * sum(part.share for part in parts)
            if finite or self._scales:  # a gradient scaler looks for itself, and learns from it
                optimizer.step()
            if not finite:
                skipped = True
                for tensor, before in zip(self._watches, kept, strict=True):
                    tensor.copy_(before)
        return Terms(terms, skipped)

    def _backward(self, part: Part, phase: Phase, last: bool) -> list[tuple[str, Tensor]]:
        """Add a part's gradient to what is there; its terms, with its share."""
        processes, rows = self._fabric.world_size, part.rows
        alone = last or processes == 1  # otherwise gradients meet with the last part
        with nullcontext() if alone else self._fabric.no_backward_sync(self._losses):
            loss, named = self._losses(rows.x, rows.y, rows.extras, phase.name)
            share = part.share * processes  # gradients of processes are averaged
            self._fabric.backward(loss if share == 1 else loss * share, gradient=self._one(loss))
        terms = {"loss": loss.detach(), **named}
        if part.share == 1:
            return list(terms.items())
        return [(name, value.detach() * part.share) for name, value in terms.items()]

    def _one(self, loss: Tensor) -> Tensor:
        """The incoming gradient of every loss, which autograd would make anew."""
        if self._kept is None or (self._kept.dtype, self._kept.device) != (loss.dtype, loss.device):
            self._kept = torch.ones_like(loss, requires_grad=False)
        return self._kept

    def _norm(self, phase: Phase, optimizer: Any) -> tuple[Tensor, bool]:
        """The norm of a phase's gradient, which is then clipped, and whether a step can follow."""
        bare = getattr(optimizer, "optimizer", optimizer)
        self._fabric.strategy.precision.unscale_gradients(bare)
        weights = [p for p in phase.parameters if p.grad is not None]
        norm = whole(get_total_norm([p.grad for p in weights if p.grad is not None]))
        # the host looks where it has to, or need not wait
        seen = norm.item() if self._skips or norm.device.type == "cpu" else None
        below = seen is not None and self._clip is not None and seen + MARGIN <= self._clip
        if self._clip is not None and not below:
            clip_grads_with_norm_(weights, self._clip, norm)
        return norm, not self._skips or seen is None or math.isfinite(seen)
