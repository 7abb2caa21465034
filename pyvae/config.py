"""What a training run is made of: every setting, with its default, fit for JSON."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyvae.errors import UserError

__all__ = ["CHANGEABLE", "PARTS", "TrainConfig", "parse_pairs"]

#: The parts of a run that are chosen by name, each with a mapping of options beside it.
PARTS = (
    "encoder",
    "decoder",
    "prior",
    "posterior",
    "likelihood",
    "objective",
    "model",
    "dataset",
    "optimizer",
)

#: What a resumed run may change without becoming another run.
CHANGEABLE = frozenset({"epochs", "steps", "data_dir", "device", "log_every"})


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run; the fields are the options of ``pyvae train``."""

    dataset: str = "digits"
    dataset_args: dict[str, Any] = field(default_factory=dict)
    data_dir: str | None = None
    binarize: str = "auto"  # auto, dynamic, fixed, none
    model: str = "vae"
    model_args: dict[str, Any] = field(default_factory=dict)
    latent_dim: int = 20
    encoder: str = "mlp"
    encoder_args: dict[str, Any] = field(default_factory=dict)
    decoder: str = "mlp"
    decoder_args: dict[str, Any] = field(default_factory=dict)
    prior: str = "standard_normal"
    prior_args: dict[str, Any] = field(default_factory=dict)
    posterior: str = "diagonal_gaussian"
    posterior_args: dict[str, Any] = field(default_factory=dict)
    likelihood: str = "bernoulli"
    likelihood_args: dict[str, Any] = field(default_factory=dict)
    init: str = "torch"  # torch, glorot, normal: how weights start
    init_std: float = 0.1  # of normal
    init_output: bool = False  # start the decoder's bias at the data's mean
    objective: str = "elbo"
    objective_args: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    steps: int | None = None  # instead of epochs
    batch_size: int = 100
    optimizer: str = "adam"
    optimizer_args: dict[str, Any] = field(default_factory=dict)
    lr: float = 1e-3
    lr_milestones: tuple[int, ...] = ()  # epochs
    lr_gamma: float = 0.1
    seed: int = 0
    eval_every: int | None = None  # steps; None: at the end of each epoch, the bound only
    eval_samples: int = 100  # importance samples; 0: no log p(x)
    eval_subset: int = 1000  # random rows in between; 0: all
    eval_split: str = "valid"  # in between; the final figures are always those of the test split
    log_every: int = 100  # steps
    device: str = "auto"
    precision: str = "32-true"

    def __post_init__(self) -> None:
        positive = ("latent_dim", "batch_size", "lr", "log_every", "lr_gamma", "init_std")
        optional = ("epochs", "steps", "eval_every")
        for name in (*positive, *(n for n in optional if getattr(self, n) is not None)):
            if not getattr(self, name) > 0:
                raise UserError(f"{_flag(name)} must be positive, got {getattr(self, name)}")
        for name in ("eval_samples", "eval_subset", "seed"):
            if getattr(self, name) < 0:
                raise UserError(f"{_flag(name)} must not be negative, got {getattr(self, name)}")
        if self.epochs is not None and self.steps is not None:
            raise UserError("give --epochs or --steps, not both")

    def total_steps(self, steps_per_epoch: int) -> int:
        """How many training steps the run has; 100 epochs where neither number is given."""
        if self.steps is not None:
            return self.steps
        return steps_per_epoch * (100 if self.epochs is None else self.epochs)

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch: lr * lr_gamma^(milestones reached)."""
        return self.lr * self.lr_gamma ** sum(
            epoch >= milestone for milestone in self.lr_milestones
        )

    def to_dict(self) -> dict[str, Any]:
        """All settings, fit for JSON."""
        settings: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return settings

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """The settings that :meth:`to_dict` gave.

        Raises:
            UserError: a setting that does not exist, or a value that makes no sense.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(settings.keys() - names)
        if unknown:
            raise UserError(f"unknown setting {unknown[0]!r}")
        values = dict(settings)
        values["lr_milestones"] = tuple(values.get("lr_milestones", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"a setting has a value of the wrong type: {error}") from error

    def resumed_with(self, given: Mapping[str, Any]) -> TrainConfig:
        """These settings, with those changed that a resumed run may change.

        Raises:
            UserError: another setting was given with another value.
        """
        for name, value in given.items():
            if name not in CHANGEABLE and value != getattr(self, name):
                allowed = ", ".join(sorted(map(_flag, CHANGEABLE)))
                raise UserError(
                    f"{_flag(name)} is {getattr(self, name)} in the run that is resumed and cannot "
                    f"become {value}; only {allowed} can change"
                )
        values = {**self.to_dict(), **given}
        if "epochs" in given:
            values["steps"] = given.get("steps")
        elif "steps" in given:
            values["epochs"] = None
        return self.from_dict(values)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def parse_pairs(pairs: Iterable[str], flag: str) -> dict[str, Any]:
    """Options from the command line: ``hidden=256,256 activation=relu centered=true``.

    A value is a Python number, true, false, none, several of these with commas between, or text.

    Raises:
        UserError: a pair without ``=``.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UserError(f"{flag} takes name=value pairs, got {pair!r}")
        parts = [_value(part) for part in text.split(",") if part]
        options[name.replace("-", "_")] = parts if "," in text else _value(text)
    return options


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, (int, float, str)) else text
