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
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"
BLOCK = re.compile(r"^```py (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    pytest.importorskip(name)
    torch.manual_seed(0)
    result = doctest.testmod(importlib.import_module(f"pyvae.integrations.{name}"))
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", sorted({name for name, _ in BLOCK.findall(PAGE.read_text())}))
def test_blocks_of_the_page_run(name, tmp_path, monkeypatch):
    """Those of a library in their order, as one program."""
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    namespace = {"__name__": "page"}
    for library, code in BLOCK.findall(PAGE.read_text()):
        if library == name:
            exec(compile(code, f"{PAGE.name}, {name}", "exec"), namespace)
    if name in ("scvi", "diffusers"):
        importlib.import_module(f"pyvae.integrations.{name}").restore()
