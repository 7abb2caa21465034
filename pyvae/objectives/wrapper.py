"""Objectives around another objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.registry import objectives

__all__ = ["LossOf", "Wrapper"]


class LossOf(nn.Module):
    """Model and objective as one module, whose parameters can be replaced for one call."""

    def __init__(self, model: Model, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch) -> Result:
        result: Result = self.objective(self.model, batch)
        return result


class Wrapper(Objective):
    """An objective that changes what another one sees or adds to it; the phases are the inner's.

    Args:
        name: what this one is called, for messages
        objective: the inner objective, by name or as an instance
        options: of the inner objective, where it is given by name

    Raises:
        UnknownPartError: no objective has this name.
        TypeError: the inner objective has no such option, or is of the outer one's kind.
    """

    def __init__(self, name: str, objective: str | Objective, options: Mapping[str, Any]) -> None:
        super().__init__()
        if isinstance(objective, str):
            objective = objectives.create(objective, **options)
        elif options:
            raise TypeError(f"{name}: options belong to an objective given by name")
        if not isinstance(objective, Objective) or any(
            isinstance(inner, type(self)) for inner in objective.modules()
        ):
            raise TypeError(f"{name}: the inner objective cannot be {objective!r}")
        self.name = name
        self.inner = objective
        self.min_rows = objective.min_rows
        self.needs_labels = objective.needs_labels

    def notes(self, steps: int, epochs: int) -> list[str]:
        return self.inner.notes(steps, epochs)

    def bind(self, model: Model) -> None:
        self.inner.data_size = self.data_size
        self.inner.bind(model)

    def phases(self, model: Model) -> list[Phase]:
        return self.inner.phases(model)

    def step_begin(self, step: int, epoch: int) -> None:
        self.inner.step_begin(step, epoch)

    @property
    def scheduled(self) -> bool:
        return self.inner.scheduled

    def need_one_phase(self, model: Model) -> None:
        """Raises: TypeError: the inner objective has several phases."""
        if len(self.inner.phases(model)) > 1:
            raise TypeError(
                f"{self.name}: the inner objective must have one phase, such as elbo and iwae, got "
                f"{type(self.inner).__name__}"
            )
