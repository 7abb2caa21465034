"""Errors whose message is meant for the person at the keyboard, and imports that may be missing."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["DataError", "MissingExtraError", "RunError", "UserError", "optional"]


class UserError(ValueError):
    """Something only the user can put right; the message is one clear sentence."""


class DataError(UserError):
    """A data file that is missing, cut short, altered, or of another format."""


class RunError(UserError):
    """A run folder that is missing, incomplete, in the way, or that cannot be written."""


class MissingExtraError(UserError, ImportError):
    """A package that only a part of the library needs is not installed."""


def optional(module: str, extra: str = "train") -> ModuleType:
    """Import a module of one of the package's extras.

    Raises:
        MissingExtraError: the module is not installed; the message says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{package} is needed for this and could not be imported ({error}); "
            f'pip install "pyvae-fused[{extra}]"'
        ) from error
