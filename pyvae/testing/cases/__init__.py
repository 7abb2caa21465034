"""The rows of pyvae's own ops: those of every file of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from ..case import OpCase


def _rows() -> Iterator[OpCase]:
    for module in iter_modules(__path__):
        yield from import_module(f"{__name__}.{module.name}").ROWS


CASES: Mapping[str, OpCase] = {case.name: case for case in _rows()}
