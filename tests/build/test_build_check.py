"""The native library goes with every torch of the C++ interface that it was built for."""

from __future__ import annotations

import pytest
import torch

from pyvae import _build
from pyvae._build_check import check_build


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
    check_build(built, running)


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
    with pytest.raises(ImportError) as caught:
        check_build(built, running)
    assert str(caught.value) == (
        f"pyvae was built against torch {built}, but torch {running} is installed. Build it again "
        "for this torch: pip install --force-reinstall --no-deps --no-cache-dir --no-binary "
        "pyvae-fused pyvae-fused (or `pip install .` in its source folder)."
    )


def test_this_build_is_for_this_torch() -> None:
    check_build(_build.torch_version, torch.__version__)
