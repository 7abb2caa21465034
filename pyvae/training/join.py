"""What training needs, put together from a model, an objective and data.

What does not fit is found here, before anything is written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import torch

from pyvae import registry
from pyvae.batch import Batch
from pyvae.config import TrainConfig
from pyvae.data import Batches, DataSplits, Split, View, view
from pyvae.data.binarize import Binarize
from pyvae.data.stored import StoredBatch
from pyvae.data.survey import survey
from pyvae.errors import UserError
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.objectives import Objective
from pyvae.training.describe import describe, moments, scale_advice
from pyvae.training.optimization.optimizers import build_optimizer

__all__ = [
    "Parts",
    "Source",
    "build_view",
    "check_shared",
    "join",
    "leaves_unused",
    "said_plainly",
]

_ROWS = 1000  # training data that a prior may start from
_CHECKED, _NUMBERS = 10_000, 2**20  # data, and numbers of them, that are checked at a time

# what parts raise about names, options, values, and packages that are not installed
_SAID = (registry.UnknownPartError, TypeError, ValueError, NotImplementedError, ImportError)


class Source(Protocol):
    """Where minibatches come from: :class:`pyvae.data.Batches`, or something like it."""

    epoch: int  #: of the next batch, from 0
    position: int  #: how far into it; 0 at its start

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""

    @property
    def next_rows(self) -> int:
        """The rows of the next batch."""

    def next_parts(self, parts: int, wanted: range | None = None) -> list[Batch]:
        """The next batch, with values as stored, cut into parts."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Where it is."""

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up from a state."""


@dataclass(frozen=True)
class Parts:
    """What training needs, on its device.

    Args:
        view: the data as the likelihood sees them
        model, objective: what is trained
        device: where all of it is
        data: what is known of the data, for ``train.json``
        advice: what to do if training diverges, where the data say it
        notes: what to say before training begins
        source: the minibatches; None: of the training split, which is held whole
    """

    view: View
    model: Model
    objective: Objective
    device: torch.device
    data: dict[str, Any]
    advice: str
    notes: list[str]
    source: Source | None = None

    def batches(self, config: TrainConfig) -> Source:
        """The minibatches of a run; each can be cut into its parts."""
        return self.source or _batches(config, self.view, self.objective)


@contextmanager
def said_plainly() -> Iterator[None]:
    """What parts raise about names, options and values becomes a message for the user."""
    try:
        yield
    except UserError:
        raise
    except _SAID as error:
        raise UserError(str(error)) from error


def build_view(config: TrainConfig, data: DataSplits, likelihood: Likelihood) -> View:
    """Data as a likelihood sees them.

    Raises:
        UserError: the data's levels do not fit.
    """
    return view(
        data,
        likelihood.data_range,
        cast(Binarize, config.binarize),
        binary=likelihood.binary,
        seed=config.seed,
    )


def join(
    config: TrainConfig,
    data: DataSplits,
    model: Model,
    objective: Objective,
    device: torch.device,
    *,
    fresh: bool = True,
    source: Source | None = None,
    rows: int | None = None,
) -> Parts:
    """What training needs, of a model, an objective and data that are there.

    Args:
        config: the settings of the run; names of parts among them are not looked at
        data, model, objective: what belongs together
        device: where all of it is brought
        fresh: let the model start from the data, where its likelihood and prior know how to
        source: the minibatches, where ``data`` hold only some of the training rows
        rows: how many training rows there are, in that case

    Raises:
        UserError: they do not fit together.
    """
    with said_plainly():
        shown = build_view(config, data, model.likelihood)
        _check_values(model, shown)
        _check_conditions(model, data)
        _check_labels(objective, data, whole=source is None)
        mean, std = moments(shown)
        if fresh:
            _begin(config, model, shown, mean, std)
        objective.data_size = len(shown.data.train) if rows is None else rows
        objective.bind(model)
        for phase in objective.phases(model):
            build_optimizer(config.optimizer, phase.parameters, config.lr, config.optimizer_args)
        _try(model, objective, shown)
        per_epoch = (source or _batches(config, shown, objective)).steps_per_epoch
    advice = scale_advice(model.likelihood, mean, std)
    steps = config.total_steps(per_epoch)
    notes = objective.notes(steps, -(-steps // per_epoch))
    model.to(device)
    objective.to(device)
    return Parts(
        shown.to(device),
        model,
        objective,
        device,
        data=describe(data, shown),
        advice=advice,
        notes=[*notes, *([advice] if advice else [])],
        source=source,
    )


def _begin(
    config: TrainConfig, model: Model, shown: View, mean: torch.Tensor, std: torch.Tensor
) -> None:
    """Let a new model start from the training data, whose mean and standard deviation are given."""
    model.likelihood.init_from_statistics(mean, std)
    if config.init_output:
        model.init_output(mean)
    some = shown.data.train.subset(_ROWS, seed=config.seed).x
    model.init_prior(shown.train_values(some, torch.Generator().manual_seed(config.seed)))


def _batches(config: TrainConfig, shown: View, objective: Objective) -> Batches:
    """Minibatches of training data, each of enough rows for every part that it is cut into."""
    smallest = objective.min_rows * config.cuts
    return Batches(shown.data.train, config.batch_size, config.seed, smallest)


def _check_values(model: Model, shown: View) -> None:
    """The likelihood looks at all data once, which no training step does again."""
    check = model.likelihood.check
    generator = torch.Generator().manual_seed(0)
    for name, split in shown.data.splits.items():
        train = name == "train"  # held-out splits may be drawn already
        rows = _each_level(split, shown.data.levels) if train else split

        def look(part: Split, train: bool = train) -> None:
            x = shown.train_values(part.x, generator) if train else shown.held_out_values(part.x)
            check(x, *part.side(["mask"]).values())

        if isinstance(rows, StoredBatch):
            survey(rows, look)
            continue
        for part in rows.blocks(_CHECKED, _NUMBERS):
            look(part)


def _each_level(split: Split, levels: int | None) -> Split:
    """The rows of a split; but of grey levels in files each level once, in every place."""
    if levels is None or not isinstance(split, StoredBatch) or split.x.dtype != torch.uint8:
        return split
    each = torch.arange(levels + 1, dtype=torch.uint8)
    return Batch(each.view(-1, *[1] * (split.x.ndim - 1)).expand(-1, *split.x.shape[1:]))


def _check_conditions(model: Model, data: DataSplits) -> None:
    """Numbers of categories must not be taken for numbers."""
    if data.conditions is None or "condition" not in model.side_inputs:
        return
    there, made_for = data.conditions.embeddings, getattr(model, "condition_embeddings", ())
    if there != made_for:
        raise UserError(
            f"the conditions of {data.name} are for condition_embeddings={there}, the model was "
            f"made with {made_for}"
        )


def _check_labels(objective: Objective, data: DataSplits, *, whole: bool) -> None:
    """What learns classes from labels must be given some, which all training rows can tell."""
    y = data.train.y
    some = y is not None and (not whole or bool((y < data.num_classes)[y >= 0].any()))
    if some or not objective.needs_labels:
        return
    raise UserError(
        f"the objective {type(objective).__name__} learns classes from labels, and no training row "
        f"of {data.name} has one; labels=NAME names the column or array that holds them"
    )


def check_shared(parts: Parts) -> None:
    """Ask the objective whether processes, which are there, can share it.

    Raises:
        UserError: it says, when a step begins, that they cannot.
    """
    _copies(parts)


def leaves_unused(parts: Parts) -> bool:
    """Whether a phase leaves weights without a gradient, found with copies and a few data."""
    batch = _few(parts.view, parts.objective, parts.device)
    model, objective = _copies(parts)
    weights = [p for p in (*model.parameters(), *objective.parameters()) if p.requires_grad]
    devices = [parts.device] if parts.device.type == "cuda" else []
    unused = False
    with torch.random.fork_rng(devices=devices):
        for phase in objective.phases(model):
            model.zero_grad()
            objective.zero_grad()
            objective(model, batch, phase=phase.name).loss.backward()
            unused = unused or any(weight.grad is None for weight in weights)
    return unused


def _copies(parts: Parts) -> tuple[Model, Objective]:
    """Of the model, and of the objective at the beginning of a step."""
    model, objective = copy.deepcopy((parts.model, parts.objective))
    try:
        objective.step_begin(0, 0)
    except RuntimeError as error:
        raise UserError(str(error)) from error
    return model, objective


def _try(model: Model, objective: Objective, shown: View) -> None:
    """One forward pass of each phase on a few data, of copies: nothing is changed or drawn."""
    batch = _few(shown, objective, torch.device("cpu"))
    model, objective = copy.deepcopy((model, objective))
    with torch.random.fork_rng(devices=[]):
        for phase in objective.phases(model):
            objective(model, batch, phase=phase.name)


def _few(shown: View, objective: Objective, device: torch.device) -> Split:
    """A few training data, as the model sees them; the data are on the device."""
    few = shown.data.train[: max(4, objective.min_rows)]
    generator = torch.Generator(device).manual_seed(0)
    return replace(few, x=shown.train_values(few.x, generator))
