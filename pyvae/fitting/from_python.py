""":func:`fit`: the training loop of the command, called from Python."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import torch

from pyvae import registry
from pyvae.config import PARTS, TrainConfig
from pyvae.errors import UserError, optional
from pyvae.fitting.data import given_data
from pyvae.fitting.history import History
from pyvae.fitting.place import Place
from pyvae.hints import did_you_mean
from pyvae.models.base import Model
from pyvae.objectives import Objective
from pyvae.settings import settings_of
from pyvae.training import Interrupted, StopRequest, Trainer
from pyvae.training.build import GIVEN
from pyvae.training.guard import first_not_finite
from pyvae.training.join import join, said_plainly

__all__ = ["fit"]

Path_ = str | os.PathLike[str]

EPOCHS = 10
#: What a run has by name, and here as an object or as an argument of its own.
_ELSEWHERE = {
    *(name for part in PARTS if part != "optimizer" for name in (part, f"{part}_args")),
    *("data_dir", "latent_dim", "init", "init_std", "device"),
    *("devices", "num_nodes", "strategy"),  # of which there is one process
}


def fit(
    model: Model,
    data: Any,
    objective: str | Objective = "elbo",
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    lr: float | None = None,
    seed: int | None = None,
    valid: Any = None,
    labels: Any = None,
    mask: Any = None,
    levels: int | None = None,
    objective_args: Mapping[str, Any] | None = None,
    folder: Path_ | None = None,
    resume: History | Path_ | None = None,
    fresh: bool | None = None,
    progress: bool = True,
    **settings: Any,
) -> History:
    """Train a model in place, by the loop of ``pyvae train``.

    The model stays on its device, and is in eval mode afterwards. The same seed, data and settings
    give the same numbers; torch's own random state is left as it was. Ctrl-C ends the training
    after the step that it is in; what is trained so far is returned, and ``resume=`` goes on from
    there to the numbers of a training that was never stopped.

    Args:
        model: a :class:`pyvae.VAE` or another model
        data: rows (N, *data_shape): a tensor, a numpy array, a data frame of pandas or polars, an
            AnnData, a scipy sparse matrix, a :class:`pyvae.batch.Batch`, the splits that
            :func:`pyvae.data.load` gives, or a torch ``Dataset`` or ``DataLoader``, which is read
            batch by batch. Bytes are grey levels, from which a Bernoulli likelihood draws zeros
            and ones at each step
        objective: what is minimised: the name of one, or an instance
        epochs: passes over the training rows, in all (default: 10)
        steps: training steps in all, instead of epochs
        batch_size: rows of a step (default: 100); a DataLoader has its own
        optimizer: by its name (default: adam)
        lr: the learning rate (default: 1e-3)
        seed: of the order of the rows, and of all noise (default: 0)
        valid: rows to look at after each epoch, as data of their own or as a share of ``data``;
            0: none. Default: a tenth of the rows, those of the splits, or none for a DataLoader
        labels: of the rows, for objectives that take any; of a data frame or an AnnData, the name
            of the column
        mask: of data that lie in memory, zeros and ones (N, *data_shape): 1 where a value was
            observed. NaN says the same of a value that was not
        levels: the highest grey level, for values that are grey levels and no bytes
        objective_args: options of an objective given by name
        folder: make a run folder, as ``pyvae train --out`` does, with curves, checkpoints and the
            model
        resume: go on from the end of a training: its history, or its folder. Settings that are not
            given are those of that training, whose data and objective must be given again
        fresh: let likelihood and prior start from the data (statistics, pseudo-inputs), where they
            know how to. Default: unless the model has been trained by this function before, or was
            loaded
        progress: show a bar, or lines where there is no terminal, and notes
        settings: any other setting of a run, such as ``eval_every=500`` or
            ``optimizer_args={"eps": 1e-4}``: the options of ``pyvae train`` have the same names

    Returns:
        The figures of the training, row by row.

    Raises:
        UserError: a setting, an option or data that do not fit, in one sentence; or the training
            has diverged, and the model has the last finite state that was kept.
        MissingExtraError: the packages of the ``train`` extra are not installed.

    Example:
        >>> import pyvae
        >>> x = (torch.rand(200, 16) < 0.3).float()
        >>> vae = pyvae.VAE((16,), latent_dim=2)
        >>> history = pyvae.fit(vae, x, epochs=2, progress=False)
        >>> history.step, len(history["valid/elbo"])
        (4, 2)
    """
    if not isinstance(model, Model):
        raise TypeError(f"fit: the model must be a pyvae.models.Model, got {type(model).__name__}")
    device = next(model.parameters()).device
    with said_plainly():
        loss, named = _objective(objective, objective_args)
    loop = {"batch_size": batch_size, "optimizer": optimizer, "lr": lr, "seed": seed}
    chosen = {"epochs": epochs, "steps": steps, **loop}
    asked = {name: value for name, value in chosen.items() if value is not None}
    place = Place(folder, resume)
    config = _config(model, {**asked, **named}, settings, place.before())
    if place.run is None and (config.log or config.keep):
        raise UserError(f"fit: {'log' if config.log else 'keep'}= needs a run folder: folder=")
    for name in config.log:
        optional(name, name)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        given = given_data(
            data,
            valid=valid,
            labels=labels,
            mask=mask,
            levels=levels,
            batch_size=config.batch_size,
            seed=config.seed,
            device=device,
            model=model,
            min_rows=loss.min_rows * config.accumulate,
        )
        trained = vars(model).get("fitted", False) or resume is not None
        parts = join(
            config,
            given.splits,
            model,
            loss,
            device,
            fresh=not trained if fresh is None else fresh,
            source=given.source,
            rows=given.rows,
        )
        if config.monitors and not len(parts.view.held_out(config.eval_split)):
            raise UserError(f"fit: {config.monitor} needs held-out rows: valid=")
        if progress:
            for text in parts.notes:
                print(f"pyvae: note: {text}", file=sys.stderr)
        history = History(config)
        again = f"pyvae.fit(..., lr={config.lr / 10:g})"
        trainer = Trainer(config, parts, place.run, quiet=not progress, logs=[history], go_on=again)
        with place.opened(trainer, history):
            vars(model)["fitted"] = True
            stopped = _run(trainer)
        if trainer.outcome is not model:  # the average of its weights
            model.load_state_dict(trainer.outcome.state_dict())
        history.step, history.total = trainer.step, trainer.total
        history.stopped, history.state = stopped is not None, trainer.saved
    if stopped is not None:
        _tell_stopped(stopped, history)
    return history


def _run(trainer: Trainer) -> Interrupted | None:
    """Train; what stopped it, if anything did."""
    try:
        with StopRequest() as stop:
            trainer.fit(stop)
    except Interrupted as stopped:
        return stopped
    except UserError:
        if trainer.saved_step and first_not_finite(dict(trainer.engine.losses.named_parameters())):
            trainer.take_saved()
        raise
    finally:
        trainer.parts.model.eval()
    return None


def _tell_stopped(stopped: Interrupted, history: History) -> None:
    print(
        f"pyvae: stopped after {history.step} of {history.total} steps; go on with "
        f"pyvae.fit(..., resume=history)",
        file=sys.stderr,
    )
    if stopped.number != signal.SIGINT:  # a request to end the whole process, which it does now
        signal.raise_signal(stopped.number)


def _objective(
    objective: str | Objective, options: Mapping[str, Any] | None
) -> tuple[Objective, dict[str, Any]]:
    """The objective, and what it is called in the settings of a run."""
    if isinstance(objective, str):
        made: Objective = registry.objectives.create(objective, **dict(options or {}))
        return made, {"objective": objective, "objective_args": dict(options or {})}
    if not isinstance(objective, Objective):
        raise TypeError(
            f"fit: the objective must be a name or a pyvae.objectives.Objective, got {objective!r}"
        )
    if options:
        raise TypeError("fit: objective_args belong to an objective given by name")
    return objective, {"objective": _name_of(objective, registry.objectives)}


def _config(
    model: Model, asked: dict[str, Any], more: dict[str, Any], before: TrainConfig | None
) -> TrainConfig:
    """The settings of the run: those of the run before where there is one, and what is asked."""
    known = settings_of(TrainConfig).keys() - _ELSEWHERE
    for name in more:
        if name not in known:
            raise UserError(f"fit has no setting {name!r}{did_you_mean(name, known)}")
    asked = {**asked, **more}
    if before is not None:
        return before.resumed_with(asked)
    if not asked.keys() & {"epochs", "steps"}:
        asked["epochs"] = EPOCHS
    start = {"dataset": GIVEN, **_names(model)}
    if model.dtype == torch.float64:
        start["precision"] = "64"
    return TrainConfig.from_dict({**start, **asked})


def _names(model: Model) -> dict[str, Any]:
    """What the model is made of, by name, as far as it has names."""
    names = {"model": _name_of(model, registry.models)}
    try:
        made = model.config
    except TypeError:  # of parts that have none
        return names
    known = settings_of(TrainConfig).keys() - {"model"}
    return {**names, **{name: value for name, value in made.items() if name in known}}


def _name_of(part: object, kinds: registry.Registry) -> str:
    kind = type(part)
    return next((name for name in kinds.names() if kinds.get(name) is kind), kind.__name__)
