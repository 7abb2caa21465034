"""Contrastive divergence."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.registry import objectives

__all__ = ["ContrastiveDivergence"]


@runtime_checkable
class EnergyBased(Protocol):
    """A model whose log p(x) is -F(x) up to a constant, with chains that sample from it."""

    def free_energy(self, x: Tensor) -> Tensor: ...

    def gibbs(self, x: Tensor, steps: int) -> Tensor: ...

    def start(self, n: int) -> Tensor: ...


@objectives.register("contrastive_divergence")
class ContrastiveDivergence(Objective):
    r"""The free energy of data less that of samples of the model's own chains.

    .. math:: \text{loss} = \frac1B \sum_x F(x) - \frac1M \sum_m F(\tilde x_m)

    Its gradient is that of -log p(x) where the samples are those of the model. Those of CD-k are
    the data after k steps of Gibbs sampling (Hinton 2002); persistent ones go on from where they
    were at the step before (Tieleman 2008). They count as constants. The loss itself is no bound
    of anything; log p(x) is in the evaluations.

    The terms are ``free_energy``, that of the data, and ``reconstruction``, the mean squared
    difference of data and samples after k steps, which persistent chains do not have.

    Args:
        steps: k
        persistent: whether chains go on from step to step
        chains: how many persistent ones

    Raises:
        ValueError: fewer than one step or chain.
        TypeError: a model without a free energy.

    >>> import torch
    >>> from pyvae.models import RBM
    >>> machine = RBM((1, 8, 8), latent_dim=4)
    >>> result = ContrastiveDivergence(steps=5)(machine, torch.zeros(3, 1, 8, 8))
    >>> sorted(result.terms)
    ['free_energy', 'reconstruction']
    """

    models = ("rbm",)

    states: Tensor

    def __init__(self, steps: int = 1, persistent: bool = False, chains: int = 100) -> None:
        super().__init__()
        if steps < 1 or chains < 1:
            raise ValueError(
                f"contrastive_divergence: steps and chains must be at least 1, "
                f"got {steps} and {chains}"
            )
        self.steps, self.persistent, self.chains = steps, persistent, chains

    def bind(self, model: Model) -> None:
        if self.persistent:
            self.register_buffer("states", _machine(model).start(self.chains))

    def notes(self, steps: int, epochs: int) -> list[str]:
        return [
            "the elbo of an RBM is log p(x) itself; where both sides have more than 16 units its "
            "log Z is estimated by annealed importance sampling"
        ]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        machine, x = _machine(model), Batch.of(batch).x
        terms = {}
        if self.persistent:
            samples = machine.gibbs(self.states, self.steps)
            if self.training:
                self.states.copy_(samples)
        else:
            samples = machine.gibbs(x, self.steps)
            terms["reconstruction"] = (samples - x.to(samples.dtype)).square().mean()
        free_energy = machine.free_energy(x).mean()
        loss = free_energy - machine.free_energy(samples).mean()
        return Result(loss, {"free_energy": free_energy.detach(), **terms})


def _machine(model: Any) -> EnergyBased:
    """Raises: TypeError: the model has no free energy."""
    if not isinstance(model, EnergyBased):
        raise TypeError(
            f"contrastive_divergence trains a model with a free energy, such as rbm, got a "
            f"{type(model).__name__}; a model with a posterior is trained by elbo and others"
        )
    return model
