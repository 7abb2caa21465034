"""Training q(z|x) to its best before each update of p(z) p(x|z)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed
from torch.func import functional_call

from pyvae.models.base import Model
from pyvae.objectives.aggressive_stage import AggressiveStage
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.objectives.sampling import need_density
from pyvae.objectives.wrapper import LossOf, Wrapper
from pyvae.registry import objectives

__all__ = ["AggressiveInference"]

ROWS = 500  # of a batch, at most, whose mutual information is estimated from all their pairs


@objectives.register("aggressive_inference")
class AggressiveInference(Wrapper):
    """Another objective that at first trains q(z|x) to its best before each step of p(z) p(x|z).

    He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, algorithm 1. Posteriors collapse early in training
    where q(z|x) lags behind the model's own posterior. So, in an aggressive stage, a training step
    moves either the weights of q(z|x) alone or those of p(z) p(x|z) alone: the first until the
    loss, as its mean over a window of fresh batches, no longer falls, but ``max_steps`` times at
    most, then the second once, and so on. When the mutual information of x and z under q(z|x) no
    longer rises, the stage is over, and every step moves all weights.

    What differs from the paper. The mutual information is that of training batches (of 500 rows at
    most, which bounds it by log 500), not of validation data; it is averaged over an epoch of
    p(x|z), its updates on as many rows as there are training data, and compared with the epoch
    before. An encoder's steps are training steps of the run like all others, so that the stage
    takes most of a short run. One optimizer holds the moments of all weights; those that a step
    does not move have no gradient (None), which torch's optimizers pass over.

    The terms are those of the inner objective, and ``generative_updates``, 1 where p(x|z) has been
    trained: on average, the share of the steps. One number is read from the device in each window.

    Args:
        window: training steps of which a mean of the loss is taken
        max_steps: of q(z|x) at most before one of p(x|z)
        stage_steps: training steps after which the aggressive stage is over in any case; None: only
            the mutual information decides
        objective: the inner one, of one phase, by name or as it is
        options: of the inner objective, where it is given by name

    Raises:
        ValueError: a number below 1, or an unknown number of training data.
        UnknownPartError: no objective has this name.
        TypeError: the inner objective has several phases, or no such option; a model without
            weights of q(z|x) to train; a posterior without a density.
        RuntimeError: more than one process, each of which would decide for itself.

    >>> from pyvae import VAE
    >>> model, objective = VAE((1, 8, 8), latent_dim=2), AggressiveInference()
    >>> objective.data_size = 60_000
    >>> objective.bind(model)
    >>> objective.step_begin(0, 0)
    >>> objective(model, torch.zeros(4, 1, 8, 8)).loss.backward()
    >>> any(parameter.grad is not None for parameter in model.generative_parameters())
    False
    """

    def __init__(
        self,
        window: int = 10,
        max_steps: int = 100,
        stage_steps: int | None = None,
        objective: str | Objective = "elbo",
        **options: Any,
    ) -> None:
        super().__init__("aggressive_inference", objective, options)
        for name, value in (
            ("window", window),
            ("max_steps", max_steps),
            ("stage_steps", stage_steps),
        ):
            if value is not None and value < 1:
                raise ValueError(f"aggressive_inference: {name} must be at least 1, got {value}")
        self.stage = AggressiveStage(window, max_steps, stage_steps)

    def bind(self, model: Model) -> None:
        super().bind(model)
        self.need_one_phase(model)
        for kind, parameters in (
            ("q(z|x)", model.recognition_parameters()),
            ("p(x|z)", model.generative_parameters()),
        ):
            if not any(p.requires_grad for p in parameters):
                raise TypeError(
                    f"aggressive_inference needs weights of both q(z|x) and p(x|z) to train, and "
                    f"the model {type(model).__name__} has none of {kind}"
                )

    def notes(self, steps: int, epochs: int) -> list[str]:
        most = self.stage.max_steps
        least = min(2 * self.stage.window, most)
        length = min(steps, self.stage.length or steps)
        turn = f"{least} to {most}" if least < most else f"{most}"
        return [
            *super().notes(steps, epochs),
            f"while inference is aggressive, {turn} steps of the encoder come before each of the "
            f"decoder: at most {length // (least + 1)} of the decoder in {length} steps",
        ]

    def step_begin(self, step: int, epoch: int) -> None:
        super().step_begin(step, epoch)
        _need_one_process()
        self.stage.begin(step, self.rows())

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        if self.stage.starts:
            information = _information(model, batch)
            if self.training:
                self.stage.add_information(information, len(batch.x))
        updates = torch.full_like(self.stage.loss_sum, float(self.stage.trained != "recognition"))
        result = self._result(model, batch)
        if self.training:
            self.stage.add_loss(result.loss)
        return Result(result.loss, {**result.terms, "generative_updates": updates})

    def _result(self, model: Model, batch: Batch) -> Result:
        """The inner objective's, with the weights that this step does not move as constants."""
        loss_of, trained = LossOf(model, self.inner), self.stage.trained
        recognition = {id(p) for p in model.recognition_parameters()}
        held = {
            name: parameter.detach()
            for name, parameter in loss_of.named_parameters()
            if trained == ("generative" if id(parameter) in recognition else "recognition")
        }
        result: Result = functional_call(loss_of, held, (batch,))
        return result


@torch.no_grad()
def _information(model: Model, batch: Batch) -> Tensor:
    """The mutual information of rows and codes, E log q(z|x) - log q(z), q(z) over the batch.

    Hoffman & Johnson 2016; at most the logarithm of the number of rows.
    """
    q, _ = model.infer(batch[:ROWS])
    z = q.sample()
    with need_density("aggressive_inference", q):
        pairs: Tensor = q.log_prob(z.unsqueeze(1))  # (sample, posterior)
    return (pairs.diagonal() - pairs.logsumexp(1)).mean() + math.log(len(z))


def _need_one_process() -> None:
    if distributed.is_available() and distributed.is_initialized():
        processes = distributed.get_world_size()
        if processes > 1:
            raise RuntimeError(
                f"aggressive_inference trains in one process, as each would decide for itself when "
                f"q(z|x) has settled, got {processes} processes"
            )
