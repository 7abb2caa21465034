"""Names for parts: every part of a model is found, built and listed through a registry.

A part registers itself with one decorator:

>>> from pyvae.registry import Registry
>>> shapes = Registry("shape", group="example.shapes")
>>> @shapes.register("square")
... class Square:
...     def __init__(self, side=1.0):
...         self.side = side
>>> shapes.create("square", side=2.0).side
2.0

Another package adds a part with one entry point, which is found at the first lookup that needs it:

.. code-block:: toml

    [project.entry-points."pyvae.encoders"]
    my_encoder = "my_package.encoders:MyEncoder"

This module imports no part of the library.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from pyvae.hints import conform, hints_of

__all__ = [
    "BrokenPluginWarning",
    "Registry",
    "UnknownPartError",
    "datasets",
    "decoders",
    "encoders",
    "likelihoods",
    "models",
    "objectives",
    "posteriors",
    "presets",
    "priors",
    "readers",
    "registries",
]

Part = TypeVar("Part", bound=Callable[..., Any])

_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))  # what settings are made of
HOME = "pyvae"  # the origin of the parts that ship with the library


class BrokenPluginWarning(UserWarning):
    """A plugin that is announced and cannot be loaded."""


class UnknownPartError(KeyError):
    """No part has this name. The message lists the nearest names and all choices."""

    def __str__(self) -> str:  # KeyError would show the message quoted
        return str(self.args[0]) if self.args else ""


class Registry:
    """A mapping from names to the classes (or functions) that build one kind of part.

    Args:
        kind: what the parts are, in the singular; it stands in every message.
        group: the entry-point group in which other packages announce their parts.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self.broken: dict[str, str] = {}  #: plugins that could not be loaded, and why
        self._parts: dict[str, Callable[..., Any]] = {}
        self._origins: dict[str, str] = {}
        self._pending: dict[str, EntryPoint] | None = None  # None: not looked for yet

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, group={self.group!r}, parts={sorted(self._parts)})"

    def register(self, name: str) -> Callable[[Part], Part]:
        """A decorator that gives a class or function its name.

        The same class once more, by module and qualified name, takes the place of the one before:
        a cell of a notebook can be run again.

        Raises:
            ValueError: another part has the name, or it is not a non-empty string.
            TypeError: what is decorated cannot be called.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"{self.kind}: a name must be a non-empty string, got {name!r}")

        def decorate(part: Part) -> Part:
            self._add(name, part, origin=str(getattr(part, "__module__", "")).partition(".")[0])
            return part

        return decorate

    def get(self, name: str) -> Callable[..., Any]:
        """The part of this name, or the class of modules that an import path names.

        Raises:
            UnknownPartError: there is none, or it could not be imported.

        >>> decoders.get("torch.nn:Identity").__name__
        'Identity'
        """
        if ":" in name and name not in self._parts:
            return self._imported(name)
        if name not in self._parts:
            pending = self._discover()
            if name in pending:
                self._load(name, pending.pop(name))
        if name in self._parts:
            return self._parts[name]
        if name in self.broken:
            raise UnknownPartError(f"{self.kind} {name!r} is broken: {self.broken[name]}")
        raise UnknownPartError(f"unknown {self.kind} {name!r}{_choices(name, self.names())}")

    def create(self, name: str, /, **options: Any) -> Any:
        """Build the part of this name with these options.

        Raises:
            UnknownPartError: no part has this name.
            TypeError: an option that the part does not know or that has a value of another type, or
                one that it needs is missing.
        """
        part = self.get(name)
        parameters = inspect.signature(part).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            accepted = [
                p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            ]
            for option in options:
                if option not in accepted:
                    settable = [one for one in accepted if one not in options]
                    raise TypeError(
                        f"{self.kind} {name!r} has no option {option!r}{_choices(option, settable)}"
                    )
            missing = [
                p.name
                for p in parameters
                if p.default is p.empty and p.name in accepted and p.name not in options
            ]
            if missing:
                raise TypeError(f"{self.kind} {name!r} needs the option(s) {', '.join(missing)}")
        hints = hints_of(part)
        for option in options.keys() & hints.keys():
            if type(options[option]) in _PLAIN:
                try:
                    options[option] = conform(options[option], hints[option])
                except TypeError as error:
                    raise TypeError(
                        f"{self.kind} {name!r}: {option.rstrip('_')} {error}"
                    ) from error
        return part(**options)

    def names(self) -> list[str]:
        """All names, sorted, without the plugins that cannot be loaded (see ``broken``)."""
        pending = self._discover()
        while pending:
            self._load(*pending.popitem())
        return sorted(self._parts)

    def origin(self, name: str) -> str:
        """The distribution that a part comes from: ``"pyvae"``, or that of the plugin."""
        self.get(name)
        return self._origins.get(name, name.partition(".")[0].partition(":")[0])

    def is_plugin(self, name: str) -> bool:
        """Whether a part comes from outside of the library."""
        return self.origin(name) != HOME

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def _add(self, name: str, part: Callable[..., Any], origin: str) -> None:
        if not callable(part):
            raise TypeError(f"{self.kind} {name!r} must be a class or a function, got {part!r}")
        if name in self._parts and not _same(self._parts[name], part):
            raise ValueError(
                f"{self.kind} {name!r} is already registered, by {self._origins[name]} "
                f"({self._parts[name]!r})"
            )
        self._parts[name] = part
        self._origins[name] = origin

    def _discover(self) -> dict[str, EntryPoint]:
        """The entry points of the group that are not loaded yet."""
        if self._pending is None:
            self._pending = {}
            for point in entry_points(group=self.group):
                if point.name in self._parts and self._origins[point.name] == HOME:
                    self._report(point, f"the name is taken by {HOME}'s own {self.kind}")
                elif self._pending.setdefault(point.name, point).value != point.value:
                    self._report(point, f"the name is taken by {self._pending[point.name].value}")
        return self._pending

    def _imported(self, path: str) -> Callable[..., Any]:
        """The class of a path such as ``mypkg.nets:Net``, installed or in the working directory."""
        module, _, attribute = path.partition(":")
        here = os.getcwd()
        sys.path.append(here)
        try:
            part = functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (Exception, SystemExit) as error:  # whatever a foreign module may do at import
            raise UnknownPartError(
                f"{self.kind} {path!r} could not be imported ({type(error).__name__}: {error}); "
                f"a path is package.module:Class, and the package installed or below {here}"
            ) from error
        finally:
            sys.path.remove(here)
        if not (isinstance(part, type) and any(_is_module(base) for base in part.__mro__)):
            raise UnknownPartError(
                f"{self.kind} {path!r} must be a class of torch.nn.Module, got {part!r}"
            )
        return part

    def _load(self, name: str, point: EntryPoint) -> None:
        try:
            self._add(name, point.load(), origin=point.dist.name if point.dist else point.module)
        except (Exception, SystemExit) as error:  # whatever a foreign module may do at import
            self._report(point, f"{type(error).__name__}: {error}")

    def _report(self, point: EntryPoint, reason: str) -> None:
        source = f" of {point.dist.name}" if point.dist else ""
        self.broken[point.name] = f"the plugin {point.value}{source} could not be loaded ({reason})"
        text = f"{self.kind} {point.name!r}: {self.broken[point.name]}"
        warnings.warn(text, BrokenPluginWarning, stacklevel=4)


def _is_module(part: type) -> bool:
    """Whether a class is nn.Module, found by name: nothing else that is callable may be a part.

    A saved model names its parts, so what a name can stand for must do nothing but make a network.
    """
    return (part.__module__, part.__qualname__) == ("torch.nn.modules.module", "Module")


def _same(a: Callable[..., Any], b: Callable[..., Any]) -> bool:
    """Whether two parts are one, or one definition that was run twice."""

    def place(part: Callable[..., Any]) -> tuple[object, object]:
        return getattr(part, "__module__", None), getattr(part, "__qualname__", id(part))

    return a is b or place(a) == place(b)


def _choices(name: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    nearest = get_close_matches(str(name), choices, n=3)
    hint = f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else "."
    return f"{hint} Choices: {', '.join(choices) or 'none'}"


encoders = Registry("encoder", "pyvae.encoders")
decoders = Registry("decoder", "pyvae.decoders")
priors = Registry("prior", "pyvae.priors")
posteriors = Registry("posterior", "pyvae.posteriors")
likelihoods = Registry("likelihood", "pyvae.likelihoods")
objectives = Registry("objective", "pyvae.objectives")
models = Registry("model", "pyvae.models")
datasets = Registry("dataset", "pyvae.datasets")
readers = Registry("reader", "pyvae.readers")
presets = Registry("preset", "pyvae.presets")

registries: dict[str, Registry] = {
    "encoders": encoders,
    "decoders": decoders,
    "priors": priors,
    "posteriors": posteriors,
    "likelihoods": likelihoods,
    "objectives": objectives,
    "models": models,
    "datasets": datasets,
    "readers": readers,
    "presets": presets,
}
