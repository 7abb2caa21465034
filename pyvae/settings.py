"""Settings that are stated once: type, default, limits, choices and help in one field."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pyvae.errors import UserError
from pyvae.hints import conform, did_you_mean

__all__ = ["Setting", "flag", "setting", "settings_of"]


@dataclass(frozen=True)
class Setting:
    """What is known of a setting beside its default.

    Args:
        help: one line for people
        hint: its type
        choices: the values that it, or each of several, may take; None: all
        spellings: other ways to write some of its values, and what they mean
        above: it must be greater
        least, most: the least and the greatest value
        metavar: what stands for the value in the help
        resumable: whether a run that is resumed may have another value, or a smaller one
    """

    help: str
    hint: Any = Any
    choices: tuple[str, ...] | None = None
    spellings: Mapping[Any, Any] = field(default_factory=dict)
    above: float | None = None
    least: float | None = None
    most: float | None = None
    metavar: str | None = None
    resumable: bool | Literal["smaller"] = False

    def meant(self, value: Any) -> Any:
        """A value as it is known here, where it may be written in several ways."""
        return self.spellings.get(value, value) if isinstance(value, (str, int, float)) else value

    def check(self, name: str, value: Any) -> Any:
        """The value, of the setting's type.

        Raises:
            UserError: another type, or a value that the setting cannot take.
        """
        try:
            value = conform(self.meant(value), self.hint)
        except TypeError as error:
            raise UserError(f"{flag(name)} {error}") from error
        if value is None:
            return value
        for one in value if isinstance(value, tuple) else (value,):
            if self.choices is not None and one not in self.choices:
                raise UserError(
                    f"{flag(name)} must be one of {', '.join(self.choices)}, got {one!r}"
                    f"{did_you_mean(one, self.choices)}"
                )
        if self.above is not None and not value > self.above:
            limit = "positive" if self.above == 0 else f"above {self.above}"
            raise UserError(f"{flag(name)} must be {limit}, got {value}")
        if self.least is not None and not value >= self.least:
            limit = "not be negative" if self.least == 0 else f"be at least {self.least}"
            raise UserError(f"{flag(name)} must {limit}, got {value}")
        if self.most is not None and not value <= self.most:
            raise UserError(f"{flag(name)} must be at most {self.most}, got {value}")
        return value


def setting(default: Any, help: str, **known: Any) -> Any:
    """A field of a dataclass of settings, with what :class:`Setting` knows of it."""
    return dataclasses.field(default=default, metadata={"setting": Setting(help, **known)})


def settings_of(config: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in their order, with their types."""
    hints = typing.get_type_hints(config)
    return {
        field.name: dataclasses.replace(field.metadata["setting"], hint=hints[field.name])
        for field in dataclasses.fields(config)
    }


def flag(name: str) -> str:
    """How a setting is called on the command line.

    >>> flag("latent_dim")
    '--latent-dim'
    """
    return "--" + name.replace("_", "-")
