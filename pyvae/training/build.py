"""From settings to parts. What a user can get wrong is found here, before anything is written."""

from __future__ import annotations

import inspect
from collections.abc import Container, Iterator
from keyword import iskeyword
from typing import Any

import torch

from pyvae import registry
from pyvae.config import TrainConfig
from pyvae.data import DataSplits, is_path, load
from pyvae.data.encoding import Encoding
from pyvae.errors import UserError
from pyvae.hints import hints_of, takes_many
from pyvae.likelihoods import Likelihood
from pyvae.models.base import Model
from pyvae.networks import init_weights
from pyvae.objectives import Objective
from pyvae.training.describe import check_size
from pyvae.training.distributed.ranks import local_device
from pyvae.training.evaluation import default_device
from pyvae.training.fit import check_fit, of_columns
from pyvae.training.join import Parts, join, said_plainly

__all__ = ["GIVEN", "Parts", "build", "build_data", "said_plainly"]

#: The data set of a run whose data were given to ``pyvae.fit``.
GIVEN = "given"

#: What comes with data, by the argument of a model that takes it.
_WHAT = {
    "condition_dim": "conditions",
    "condition_embeddings": "embedded conditions",
    "masked": "data with missing values",
}

MODEL_PARTS = ("encoder", "decoder", "prior", "posterior", "likelihood")


def build_data(config: TrainConfig, encoding: Encoding | None = None) -> DataSplits:
    """The data set of a run.

    Args:
        config: the settings of the run
        encoding: how the data of the run became numbers, where these are others

    Raises:
        UserError: unknown data, or files that are missing or damaged.
    """
    if config.dataset == GIVEN:
        raise UserError(
            "the data of this run were given to pyvae.fit in Python: name data with --dataset, or "
            "go on there with pyvae.fit(model, data, resume=FOLDER)"
        )
    with said_plainly():
        options = dict(config.dataset_args)
        known = None if encoding is None else encoding.conditions
        if known or config.condition:
            options["conditions"] = known or config.condition
        data = load(config.dataset, config.data_dir, **options)
        return data if encoding is None else encoding.applied(data)


def build(config: TrainConfig) -> Parts:
    """Data, model and objective of a run; torch's random state is set to its seed.

    Raises:
        UserError: whatever in the settings does not exist or does not fit, by name.
    """
    device = local_device(default_device(config.device))
    with said_plainly():
        if config.dataset != GIVEN:
            _check_names(config)
        data = build_data(config)
        check_fit(data, config.likelihood, _options(config, "likelihood"), config.binarize)
        check_size(lambda: _model(config, data))
        torch.manual_seed(config.seed)
        model = _model(config, data)
        init_weights(model, config.init, config.init_std)
        objective: Objective = registry.objectives.create(
            config.objective, **_options(config, "objective")
        )
    return join(config, data, model, objective, device)


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
    if data.conditions is not None and data.conditions.embeddings:
        given["condition_embeddings"] = data.conditions.embeddings
    if "mask" in extras:
        given["masked"] = True
    for name in given:
        if name not in takes:
            raise UserError(
                f"the model {config.model!r} takes no {_WHAT[name]}; the models that do: "
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
