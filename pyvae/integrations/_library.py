"""Other libraries: imported with a word on what installs them, patched, and put back."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pyvae.errors import MissingExtraError

__all__ = ["Patch", "Replacement", "library"]


def library(module: str, extra: str) -> Any:
    """Import a module of a library that one of the integrations is for.

    Raises:
        MissingExtraError: it cannot be imported; the message says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"pyvae.integrations.{extra} needs {module.partition('.')[0]}, which could not be "
            f'imported ({error}); pip install "pyvae-fused[{extra}]"'
        ) from error


class Replacement(NamedTuple):
    """An attribute of an object of another library, and what takes its place."""

    owner: Any
    name: str
    value: Any


class Patch:
    """Attributes that are replaced together and put back together.

    Args:
        replacements: finds them, at the time when the patch is applied, and again when it is taken
            back: what was imported in between may hold a replacement under its name
    """

    def __init__(self, replacements: Callable[[], Iterable[Replacement]]) -> None:
        self._find = replacements
        self._originals: dict[int, Any] = {}  # by the identity of what took their place

    @property
    def applied(self) -> bool:
        return bool(self._originals)

    def apply(self) -> None:
        """Replace them; what is replaced already stays so."""
        for owner, name, value in self._find():
            own = vars(owner).get(name, _INHERITED)
            if own is not value:
                self._originals[id(value)] = own
                setattr(owner, name, value)

    def restore(self) -> None:
        """Put everything back; without a patch, nothing happens."""
        for owner, name, value in self._find() if self.applied else ():
            if vars(owner).get(name) is value:
                own = self._originals[id(value)]
                if own is _INHERITED:
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)
        self._originals.clear()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Applied within the block; afterwards as before it."""
        before = self.applied
        self.apply()
        try:
            yield
        finally:
            if not before:
                self.restore()


_INHERITED = object()  #: stands for an attribute that the owner has from elsewhere
