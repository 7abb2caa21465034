"""Examples in the docstrings of the integrations, and on their page, run and say what is true."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
import torch

import pyvae.integrations

pytestmark = [pytest.mark.integrations, pytest.mark.filterwarnings("ignore")]

FOLDER = Path(pyvae.integrations.__file__).parent
MODULES = sorted(p.stem for p in FOLDER.glob("[!_]*.py") if "_library import" in p.read_text())
PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
HEADINGS = {
    "Pyro": "pyro",
    "scvi-tools": "scvi",
    "diffusers": "diffusers",
    "Lightning": "lightning",
    "nflows": "nflows",
    "Accelerate": "accelerate",
}
PART = re.compile(r"^## ([^\n]*)$|^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """The programs of the page, by library."""
    found, library = {}, None
    for heading, code in PART.findall(PAGE.read_text()):
        if heading:
            library = HEADINGS.get(heading)
        else:
            found.setdefault(library, []).append(code)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    pytest.importorskip(name)
    torch.manual_seed(0)
    result = doctest.testmod(importlib.import_module(f"pyvae.integrations.{name}"))
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", HEADINGS.values())
def test_the_page_runs(name, tmp_path, monkeypatch):
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    namespace = {"__name__": "page"}
    try:
        for code in blocks()[name]:
            exec(compile(code, f"{PAGE.name}, {name}", "exec"), namespace)
    finally:
        if name == "scvi":
            importlib.import_module("pyvae.integrations.scvi").restore()
