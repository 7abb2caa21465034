"""Settings to search among, as a file states them and as Optuna draws them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvae.config import TrainConfig
from pyvae.config_files import check_settings
from pyvae.errors import UserError
from pyvae.hints import did_you_mean
from pyvae.settings import settings_of

__all__ = ["Choice", "Range", "Space", "read_space"]

_OF_RANGES = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; whole ones where both are (and ``step``, where given).

    Args:
        low, high: both may be drawn
        log: uniform in the logarithm
        step: the distance of those that may be drawn
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def draw(self, trial: Any, name: str) -> Any:
        """A value from an Optuna trial."""
        if all(isinstance(v, int) for v in (self.low, self.high, self.step or 1)):
            step = {} if self.step is None else {"step": self.step}
            return trial.suggest_int(name, self.low, self.high, log=self.log, **step)
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def ends(self) -> tuple[Any, ...]:
        """Values by which it can be seen whether the setting takes them."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values of any kind."""

    values: tuple[Any, ...]

    def draw(self, trial: Any, name: str) -> Any:
        """A value from an Optuna trial, which keeps plain ones as they are and others as JSON."""
        plain = all(isinstance(v, (str, int, float, type(None))) for v in self.values)
        if plain:
            return trial.suggest_categorical(name, list(self.values))
        texts = [json.dumps(value) for value in self.values]
        return json.loads(trial.suggest_categorical(name, texts))

    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values


class Space:
    """What is searched, by the names of settings; ``encoder_args.hidden`` is an option of a part.

    Args:
        axes: ranges and choices by name
    """

    def __init__(self, axes: Mapping[str, Range | Choice]) -> None:
        self.axes = dict(axes)

    def draw(self, trial: Any) -> dict[str, Any]:
        """Settings from an Optuna trial."""
        return _nested({name: axis.draw(trial, name) for name, axis in self.axes.items()})


def read_space(found: Mapping[Any, Any], path: Path) -> tuple[dict[str, Any], Space]:
    """The settings of every trial, and the space that stands under ``search``.

    Args:
        found: what the file holds
        path: the file, for messages

    Raises:
        UserError: there is nothing to search, or something in there makes no sense.
    """
    fixed = check_settings({k: v for k, v in found.items() if k != "search"}, path)
    search = found.get("search")
    if not isinstance(search, Mapping) or not search:
        raise UserError(
            f"{path} must say what to search, such as search: {{lr: {{low: 1e-4, high: 1e-2, "
            f"log: true}}, latent_dim: [2, 10]}}"
        )
    axes: dict[str, Range | Choice] = {}
    for key, value in search.items():
        for name, stated in _leaves(str(key).replace("-", "_"), value):
            axes[name] = _axis(name, stated, path)
    known = settings_of(TrainConfig)
    for name, axis in axes.items():
        setting = name.partition(".")[0]
        if setting not in known:
            raise UserError(
                f"{path}: search: unknown setting {setting!r}{did_you_mean(setting, known)}"
            )
        if "." not in name:  # options of parts are checked by the parts
            for end in axis.ends():
                check_settings({name: end}, path)
    return fixed, Space(axes)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if name.endswith("_args") and isinstance(value, Mapping):
        for option, stated in value.items():
            yield f"{name}.{option}", stated
    else:
        yield name, value


def _axis(name: str, stated: Any, path: Path) -> Range | Choice:
    if isinstance(stated, list) and stated:
        return Choice(tuple(stated))
    if not isinstance(stated, Mapping):
        raise UserError(
            f"{path}: search: {name} must be a list of values or a range with low and high, got "
            f"{stated!r}"
        )
    for key in stated:
        if key not in _OF_RANGES:
            raise UserError(
                f"{path}: search: the range of {name} has {', '.join(_OF_RANGES)}, got {key!r}"
                f"{did_you_mean(key, _OF_RANGES)}"
            )
    low, high, step = (stated.get(key) for key in ("low", "high", "step"))
    log = stated.get("log", False)
    for key, value in (("low", low), ("high", high), *([("step", step)] if step else [])):
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not real or not math.isfinite(value):
            raise UserError(f"{path}: search: {key} of {name} must be a number, got {value!r}")
    assert isinstance(low, (int, float)) and isinstance(high, (int, float))
    if not low < high or not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        raise UserError(
            f"{path}: search: the range of {name} must have low < high, and with log: true a low "
            f"above 0 and no step, got {dict(stated)}"
        )
    return Range(low, high, log, step)


def _nested(drawn: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in drawn.items():
        setting, _, option = name.partition(".")
        if option:
            settings.setdefault(setting, {})[option] = value
        else:
            settings[setting] = value
    return settings
