"""The examples in the docstrings of the installed package say what is true."""

import doctest
import importlib
from pathlib import Path

import pytest

import pyvae

PACKAGE = Path(pyvae.__file__).parent


def module_of(path):
    parts = ["pyvae", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def needs_another_library(path):
    return path.parent.name == "integrations" and "_library import" in path.read_text()


EXAMPLES = sorted(
    module_of(p)
    for p in PACKAGE.rglob("*.py")
    if ">>>" in p.read_text() and not needs_another_library(p)
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted, f"the examples of {name} are in no docstring that doctest finds"
    assert not result.failed


def test_the_drop_in_ops_all_have_an_example():
    from pyvae import functional

    assert functional.__all__
    for name in functional.__all__:
        assert ">>>" in getattr(functional, name).__doc__, name
