"""A model and its objective as a module that Lightning trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyvae.batch import Batch
from pyvae.integrations._library import library
from pyvae.models.base import Model, mean_or_sample
from pyvae.objectives import Objective

__all__ = ["VAEModule"]

_LightningModule = library("lightning.pytorch", "lightning").LightningModule


class VAEModule(_LightningModule):  # type: ignore[misc,valid-type]
    """Trains a model by an objective under ``lightning.Trainer``.

    A batch is a tensor x, a tuple ``(x,)`` or ``(x, y)`` of data and labels, a mapping with "x",
    perhaps "y", and side inputs by name, or a :class:`pyvae.objectives.Batch`. The loss and the
    objective's terms (``elbo``, ``kl``, ``log_likelihood``, ...) are logged as ``train/elbo`` for
    each step and ``val/elbo`` for each epoch, in nats per datum.

    An objective of one phase trains by automatic optimization, with all that the trainer offers:
    clipping, accumulation, precision. One of several phases (an adversarial one) has an optimizer
    for each and steps them in turn by manual optimization.

    Args:
        model: such as :class:`pyvae.VAE`
        objective: such as ``pyvae.objectives.ELBO()``; it builds its own networks here
        optimizer: makes an optimizer of parameters; default: Adam at 1e-3, as torch has it
        scheduler: makes a learning-rate scheduler of an optimizer, which steps after each epoch;
            None: the rate stays
        data_size: rows of training data, which some objectives need

    >>> import pyvae
    >>> module = VAEModule(pyvae.VAE((1, 8, 8), latent_dim=2), pyvae.objectives.ELBO())
    >>> module.configure_optimizers()[0][0].defaults["lr"]
    0.001
    """

    def __init__(
        self,
        model: Model,
        objective: Objective,
        optimizer: Callable[[Sequence[nn.Parameter]], Optimizer] = torch.optim.Adam,
        *,
        scheduler: Callable[[Optimizer], Any] | None = None,
        data_size: int | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        if data_size is not None:
            objective.data_size = data_size
        objective.bind(model)
        self._phases = objective.phases(model)
        self.automatic_optimization = len(self._phases) == 1

    def configure_optimizers(self) -> Any:
        """An optimizer for each phase of the objective, and its scheduler where there is one."""
        optimizers, schedulers = [], []
        for phase in self._phases:
            optimizer = phase.own(self._make_optimizer(phase.parameters))
            optimizers.append(optimizer)
            if self._make_scheduler is not None:
                schedulers.append(self._make_scheduler(optimizer))
        return optimizers, schedulers

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        batch = as_batch(batch)
        self.objective.step_begin(self.global_step // len(self._phases), self.current_epoch)
        if self.automatic_optimization:
            result = self.objective(self.model, batch, phase=self._phases[0].name)
            self._log("train", {"loss": result.loss.detach(), **result.terms}, batch)
            return result.loss
        optimizers = self.optimizers()
        for phase, optimizer in zip(self._phases, optimizers, strict=True):
            optimizer.zero_grad()
            result = self.objective(self.model, batch, phase=phase.name)
            self.manual_backward(result.loss)
            optimizer.step()
            loss = {f"loss_{phase.name}": result.loss.detach()}
            self._log("train", {**loss, **result.terms}, batch)
        return None

    def on_train_epoch_end(self) -> None:
        """Steps the schedulers of manual optimization; Lightning steps the others."""
        if not self.automatic_optimization and self._make_scheduler is not None:
            for scheduler in self.lr_schedulers():
                scheduler.step()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate("test", batch)

    def predict_step(self, batch: Any, batch_idx: int = 0) -> Tensor:
        """The latents of a batch: the mean of q(z|x), (B, latent_dim)."""
        return mean_or_sample(self.model.infer(as_batch(batch))[0])

    def _evaluate(self, split: str, batch: Any) -> None:
        batch = as_batch(batch)
        result = self.objective(self.model, batch)
        self._log(split, {"loss": result.loss, **result.terms}, batch)

    def _log(self, split: str, terms: Mapping[str, Tensor], batch: Batch) -> None:
        named = {f"{split}/{name}": value for name, value in terms.items()}
        self.log_dict(named, batch_size=len(batch), sync_dist=split != "train")


def as_batch(batch: Any) -> Batch:
    """What a loader gives, with its parts by name.

    Raises:
        TypeError: it is none of what :class:`VAEModule` takes.

    >>> as_batch({"x": torch.zeros(5, 2), "library": torch.ones(5)}).extras["library"].shape
    torch.Size([5])
    """
    if isinstance(batch, (Tensor, Batch)):
        return Batch.of(batch)
    if isinstance(batch, Mapping) and "x" in batch:
        extras = {name: value for name, value in batch.items() if name not in ("x", "y")}
        return Batch(batch["x"], batch.get("y"), extras)
    if isinstance(batch, (tuple, list)) and len(batch) in (1, 2):
        return Batch(*batch)
    got = type(batch).__name__
    if isinstance(batch, Mapping):
        got += f" with {', '.join(map(repr, batch)) or 'nothing'}"
    elif isinstance(batch, (tuple, list)):
        got += f" of {len(batch)}"
    raise TypeError(
        f"VAEModule: a batch must be a tensor x, (x,), (x, y), a mapping with 'x', or a Batch, "
        f"got a {got}"
    )
