"""The native library goes with every torch of the C++ interfaces that it was built for."""

from __future__ import annotations

import sys

import pytest
import torch

import pyvae._native  # noqa: F401  (loads it)
from pyvae import _build
from pyvae._build_check import fitting


@pytest.mark.parametrize(
    ("built", "running"),
    [
        ("2.13.0", "2.13.0"),
        ("2.13.0", "2.13.1"),
        ("2.13.2+cpu", "2.13.0+cu130"),
        ("2.13.0+cu126", "2.13.0"),
        ("2.14.0.dev20261101+cpu", "2.14.0.dev20261101+cpu"),
        ("2.13.0a0+gitabc", "2.13.0a0+gitabc"),
    ],
)
def test_what_fits(built: str, running: str) -> None:
    assert fitting([built], running) == built
    assert fitting(["2.12.1", built, "2.99.0+cpu"], running) == built


@pytest.mark.parametrize(
    ("built", "running"),
    [
        ("2.13.0", "2.14.0"),
        ("2.1.0", "2.11.0"),
        ("2.13.0", "3.13.0"),
        ("2.13.0", "2.13.0rc1"),
        ("2.14.0.dev20261101", "2.14.0.dev20261102"),
        ("2.13.0a0+gitabc", "2.13.0a0+gitabd"),
    ],
)
def test_what_does_not_fit_is_said_with_what_helps(built: str, running: str) -> None:
    several = [built, "2.12.1", "2.99.0+cpu"]
    for versions, said in (([built], built), (several, f"{built}, 2.12.1 and 2.99.0+cpu")):
        with pytest.raises(ImportError) as caught:
            fitting(versions, running)
        assert str(caught.value) == (
            f"pyvae was built against torch {said}, but torch {running} is installed. Build it "
            "again for this torch: pip install --force-reinstall --no-deps --no-cache-dir "
            "--no-binary pyvae-fused pyvae-fused (or `pip install .` in its source folder)."
        )


def test_this_build_is_for_this_torch() -> None:
    fits = _build.modules[fitting(list(_build.modules), torch.__version__)]
    assert {f"pyvae.{name}" for name in _build.modules.values()} & set(sys.modules) == {
        f"pyvae.{fits}"
    }
