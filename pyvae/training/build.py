"""From settings to parts. What a user can get wrong is found here, before anything is written."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import Any, cast

import torch

from pyvae import registry
from pyvae.config import TrainConfig
from pyvae.data import Batches, DataSplits, View, is_path, load, view
from pyvae.data.binarize import Binarize
from pyvae.errors import UserError
from pyvae.hints import hints_of, takes_many
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.networks import init_weights
from pyvae.objectives import Objective
from pyvae.training.describe import check_size, describe, moments, scale_advice
from pyvae.training.distributed.ranks import local_device
from pyvae.training.evaluation import default_device
from pyvae.training.fit import check_fit, of_columns
from pyvae.training.optimization.optimizers import build_optimizer

__all__ = ["Parts", "build", "build_data", "build_view", "leaves_unused", "said_plainly"]

MODEL_PARTS = ("encoder", "decoder", "prior", "posterior", "likelihood")


_ROWS = 1000  # training data that a prior may start from
_CHECKED = 10_000  # data whose values are checked at a time

# what parts raise about names, options, values, and packages that are not installed
_SAID = (registry.UnknownPartError, TypeError, ValueError, NotImplementedError, ImportError)


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
    """

    view: View
    model: Model
    objective: Objective
    device: torch.device
    data: dict[str, Any]
    advice: str
    notes: list[str]

    def batches(self, config: TrainConfig) -> Batches:
        """The minibatches of a run; each can be cut into its parts."""
        return batches_of(config, self.view, self.objective)


def batches_of(config: TrainConfig, shown: View, objective: Objective) -> Batches:
    """Minibatches of training data, each of enough rows for every part that it is cut into."""
    smallest = objective.min_rows * config.cuts
    return Batches(shown.data.train, config.batch_size, config.seed, smallest)


@contextmanager
def said_plainly() -> Iterator[None]:
    """What parts raise about names, options and values becomes a message for the user."""
    try:
        yield
    except UserError:
        raise
    except _SAID as error:
        raise UserError(str(error)) from error


def build_data(config: TrainConfig) -> DataSplits:
    """The data set of a run.

    Raises:
        UserError: unknown data, or files that are missing or damaged.
    """
    with said_plainly():
        options = dict(config.dataset_args)
        if config.condition:
            options["conditions"] = config.condition
        return load(config.dataset, config.data_dir, **options)


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


def build(config: TrainConfig) -> Parts:
    """Data, model and objective of a run; torch's random state is set to its seed.

    Raises:
        UserError: whatever in the settings does not exist or does not fit, by name.
    """
    device = local_device(default_device(config.device))
    with said_plainly():
        _check_names(config)
        data = build_data(config)
        check_fit(data, config.likelihood, _options(config, "likelihood"), config.binarize)
        check_size(lambda: _model(config, data))
        torch.manual_seed(config.seed)
        model = _model(config, data)
        init_weights(model, config.init, config.init_std)
        shown = build_view(config, data, model.likelihood)
        _check_values(model, shown)
        mean, std = moments(shown)
        model.likelihood.init_from_statistics(mean, std)
        if config.init_output:
            model.init_output(mean)
        some = shown.data.train.subset(_ROWS, seed=config.seed).x
        model.init_prior(shown.train_values(some, torch.Generator().manual_seed(config.seed)))
        objective: Objective = registry.objectives.create(
            config.objective, **_options(config, "objective")
        )
        objective.data_size = len(shown.data.train)
        objective.bind(model)
        for phase in objective.phases(model):
            build_optimizer(config.optimizer, phase.parameters, config.lr, config.optimizer_args)
        _try(model, objective, shown)
        batches = batches_of(config, shown, objective)
    advice = scale_advice(config, model.likelihood, mean, std)
    steps = config.total_steps(batches.steps_per_epoch)
    notes = objective.notes(steps, -(-steps // batches.steps_per_epoch))
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
    )


def _model(config: TrainConfig, data: DataSplits) -> Model:
    """The model, with those of the settings that it takes; any other must be left as it is."""
    takes = inspect.signature(registry.models.get(config.model)).parameters
    options = {"data_shape": data.data_shape, **_options(config, "model")}
    for name in (*MODEL_PARTS, "latent_dim"):
        given = {name: getattr(config, name)}
        if name in MODEL_PARTS:
            given[f"{name}_args"] = _options(config, name)
        if name == "likelihood":
            settled = of_columns(config.likelihood, data)
            given["likelihood_args"] = {**settled, **given["likelihood_args"]}
        for key, value in given.items():
            if key in takes:
                options[key] = value
            elif not config.is_default(key):
                flag = "--" + key.replace("_", "-")
                raise UserError(f"the model {config.model!r} does not take {flag}")
    options |= _given(config, data, takes)
    if "classes" in takes and data.num_classes:
        options.setdefault("classes", data.num_classes)
    model = registry.models.create(config.model, **options)
    if not isinstance(model, Model) or not isinstance(model.likelihood, Likelihood):
        raise UserError(
            f"the model {config.model!r} must be a pyvae.models.Model whose likelihood is a "
            f"pyvae.likelihoods.Likelihood, got a {type(model).__name__}"
        )
    return model


def _given(config: TrainConfig, data: DataSplits, takes: Container[str]) -> dict[str, Any]:
    """What the model is told of a condition that comes with the data, and of missing values."""
    extras = data.train.extras
    given: dict[str, Any] = {}
    if "condition" in extras:
        given["condition_dim"] = extras["condition"].shape[1]
    if "mask" in extras:
        given["masked"] = True
    for name in given:
        if name not in takes:
            what = "conditions" if name == "condition_dim" else "data with missing values"
            raise UserError(
                f"the model {config.model!r} takes no {what}; the models that do: "
                f"{', '.join(_models_that_take(name))}"
            )
    return given


def _models_that_take(option: str) -> Iterator[str]:
    for name in registry.models.names():
        if option in inspect.signature(registry.models.get(name)).parameters:
            yield name


def _options(config: TrainConfig, kind: str) -> dict[str, Any]:
    """A part's options; a lone value for one that takes a sequence becomes a sequence of one.

    An option whose name is a word of Python (lambda) has an underscore behind it in the part.
    """
    part = registry.registries[f"{kind}s"].get(getattr(config, kind))
    given: dict[str, Any] = getattr(config, f"{kind}_args")
    options = {f"{n}_" if iskeyword(n) else n: value for n, value in given.items()}
    for name, hint in hints_of(part).items():
        alone = not isinstance(options.get(name), (str, list, tuple, type(None)))
        if alone and takes_many(hint):
            options[name] = [options[name]]
    return options


def _check_names(config: TrainConfig) -> None:
    kinds = ("dataset", "model", *MODEL_PARTS, "objective")
    for kind in kinds[is_path(config.dataset) :]:  # the path of a file stands for itself
        try:
            registry.registries[f"{kind}s"].get(getattr(config, kind))
        except registry.UnknownPartError as error:
            preset = _preset_called(getattr(config, kind)) if kind == "objective" else None
            if preset is None:
                raise
            raise UserError(
                f"there is no objective {config.objective!r}, but a preset, which is a whole "
                f"system: --preset {preset}"
            ) from error
    models = getattr(registry.objectives.get(config.objective), "models", None)
    if models is not None and config.model not in models:
        raise UserError(
            f"the objective {config.objective!r} is for the model {' or '.join(models)} "
            f"(--model {models[0]}), got {config.model!r}"
        )


def _preset_called(name: str) -> str | None:
    """The preset of this name, in any way of writing it."""
    import pyvae.presets  # noqa: F401  registers them

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    return next((one for one in registry.presets.names() if plain(one) == plain(name)), None)


def _check_values(model: Model, shown: View) -> None:
    """The likelihood looks at all data once, which no training step does again."""
    check = model.likelihood.check
    generator = torch.Generator().manual_seed(0)
    for name, split in shown.data.splits.items():
        for start in range(0, len(split), _CHECKED):
            part = split[start : start + _CHECKED]
            train = name == "train"
            x = shown.train_values(part.x, generator) if train else shown.held_out_values(part.x)
            check(x, *part.side(["mask"]).values())


def leaves_unused(parts: Parts) -> bool:
    """Whether a phase leaves weights without a gradient, found with copies and a few data.

    Raises:
        UserError: the objective says, when a step begins, that processes cannot share it.
    """
    shown = parts.view
    few = shown.data.train[: max(4, parts.objective.min_rows)]
    generator = torch.Generator(parts.device).manual_seed(0)
    batch = replace(few, x=shown.train_values(few.x, generator))
    model, objective = copy.deepcopy((parts.model, parts.objective))
    try:
        objective.step_begin(0, 0)
    except RuntimeError as error:
        raise UserError(str(error)) from error
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


def _try(model: Model, objective: Objective, shown: View) -> None:
    """One forward pass of each phase on a few data, of copies: nothing is changed or drawn."""
    few = shown.data.train[: max(4, objective.min_rows)]
    batch = replace(few, x=shown.train_values(few.x, torch.Generator().manual_seed(0)))
    model, objective = copy.deepcopy((model, objective))
    with torch.random.fork_rng(devices=[]):
        for phase in objective.phases(model):
            objective(model, batch, phase=phase.name)
