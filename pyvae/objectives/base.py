"""What every objective is: a formula over q(z|x), p(x|z) and p(z)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from pyvae.batch import Batch
from pyvae.models.base import Model, unwrapped

__all__ = ["Batch", "Objective", "Phase", "Result"]


@dataclass(frozen=True)
class Result:
    """What an objective gives.

    Args:
        loss: a scalar to minimise
        terms: named scalars for the records, detached
    """

    loss: Tensor
    terms: dict[str, Tensor]


@dataclass(frozen=True)
class Phase:
    """One optimizer step of a training step.

    Args:
        name: what the objective is called with
        parameters: what this step changes; one without a gradient (None) stays as it is
        lr_factor: its learning rate, in units of the run's
        betas: of its optimizer, if it is one that has betas, such as Adam; None: the run's
    """

    name: str
    parameters: list[nn.Parameter]
    lr_factor: float = 1.0
    betas: tuple[float, float] | None = None

    def own(self, optimizer: Optimizer) -> Optimizer:
        """An optimizer of the run's learning rate and options, made that of this phase."""
        for group in optimizer.param_groups:
            group["lr"] *= self.lr_factor
            if self.betas is not None and "betas" in group:
                group["betas"] = self.betas
        return optimizer


class Objective(nn.Module, ABC):
    """A loss of a model and a batch, in one or several phases.

    A training step goes through the phases in order: for each it calls the objective with the
    phase's name, differentiates the loss, and lets that phase's own optimizer step. Only a phase's
    parameters are changed by it, so an objective may own networks (a discriminator) and train them
    against the model.
    """

    #: Names of the models that it is for; None: any of its kind of posterior.
    models: ClassVar[tuple[str, ...] | None] = None
    data_size: int | None = None  #: rows of training data, set before ``bind`` by who trains
    needs_labels: bool = False  #: whether there is nothing to learn where no row has a label
    min_rows: int = 1  #: rows that a minibatch must have: 2 where they are compared with each other

    def __init__(self) -> None:  # nn.Module's own takes anything, and options are checked by it
        super().__init__()

    def bind(self, model: Model) -> None:
        """Build own networks, once, when the model's shapes are known; the default builds none."""

    def phases(self, model: Model) -> list[Phase]:
        """The optimizer steps of a training step; the default is one, over all parameters."""
        both = [*model.parameters(), *self.parameters()]
        return [Phase("model", list(dict.fromkeys(p for p in both if p.requires_grad)))]

    def rows(self) -> int:
        """The number of rows of training data, N.

        Raises:
            ValueError: ``data_size`` has not been set.
        """
        if self.data_size is None:
            raise ValueError(
                f"{type(self).__name__} needs the number of training data: set data_size"
            )
        return self.data_size

    def notes(self, steps: int, epochs: int) -> list[str]:
        """What a person should know before a run of so many steps, in so many epochs, begins."""
        return []

    def step_begin(self, step: int, epoch: int) -> None:
        """Called before each training step, both counted from 0: the place for schedules."""

    @property
    def scheduled(self) -> bool:
        """Whether :meth:`step_begin` changes what a step computes."""
        return type(self).step_begin is not Objective.step_begin

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if type(self).bind is Objective.bind:
                raise
            raise AttributeError(
                f"{error}; what {type(self).__name__} builds for itself is there after "
                f"objective.bind(model), to be called once before the first step"
            ) from None

    def __call__(self, model: Any, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        """The loss of a phase, also of a model that something is wrapped around.

        Args:
            model: a model, or one inside DistributedDataParallel, DataParallel, FSDP or
                torch.compile, whose forward then runs the objective inside
            batch: rows of data; a tensor is the x of a batch
            phase: the step of training; None stands for the first one

        Raises:
            TypeError: the model is wrapped, and the objective has networks of its own, which the
                wrapper would not see.
        """
        inner = unwrapped(model)
        hooked = isinstance(model, nn.Module) and (model._forward_pre_hooks or model._forward_hooks)
        if not isinstance(inner, Model) or (inner is model and not hooked):
            result: Result = super().__call__(model, batch, phase=phase)
            return result
        if inner is not model and any(True for _ in self.parameters()):
            raise TypeError(
                f"{type(self).__name__} has networks of its own, which {type(model).__name__} "
                f"around the model does not see: put it around one module that calls the "
                f"objective with the bare model, and both are seen"
            )
        batch = Batch.of(batch)
        loss, terms = model(batch.x, objective=self, phase=phase, y=batch.y, **batch.extras)
        return Result(loss.mean(), {name: term.mean() for name, term in terms.items()})

    @abstractmethod
    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        """The loss of a phase; None stands for the first one."""
