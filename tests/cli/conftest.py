"""A small run for the tests of the commands that use one."""

from pathlib import Path

import pytest

from pyvae.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run on the digits, one for each file of tests."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    small = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
    assert main(["train", "--out", str(out), "--steps", "20", "--eval-samples", "3", *small]) == 0
    return out
