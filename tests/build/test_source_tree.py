"""Python started in the folder of the sources: the installed package answers, or a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

import pyvae
from pyvae import _build, _native

PACKAGE = Path(pyvae.__file__).parent
IGNORED = shutil.ignore_patterns("_build.py", "*.so", "*.dylib", "__pycache__")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The tree without what an installation puts into it, and a test to run in it."""
    folder = tmp_path / "sources"
    shutil.copytree(PACKAGE, folder / "pyvae", ignore=IGNORED)
    (folder / "test_one.py").write_text(
        "import pyvae\n\n\ndef test_one():\n    assert 'installed' in pyvae.functional.__file__\n"
    )
    return folder


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    folder = tmp_path / "installed"
    shutil.copytree(PACKAGE, folder / "pyvae", ignore=IGNORED)
    native = [p for p in _native.path.parent.iterdir() if p.suffix in (".so", ".dylib")]
    for file in (_build.__file__, *native):
        shutil.copy(file, folder / "pyvae")
    return folder


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """All packages of this interpreter but pyvae, however that is installed."""
    folder = tmp_path / "packages"
    folder.mkdir()
    of_torch = Path(torch.__file__).parents[1]
    for source in (of_torch, *(Path(sysconfig.get_path(key)) for key in ("purelib", "platlib"))):
        for path in source.iterdir():
            if not path.name.startswith("pyvae") and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    return folder


def python(*arguments: str, cwd: Path, paths: tuple[Path, ...]) -> tuple[int, str]:
    """-S leaves out .pth files, through which an editable installation would answer."""
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_installed_package_takes_its_place(
    sources: Path, installed: Path, packages: Path
) -> None:
    paths = (installed, packages)
    code = "import pyvae; print(pyvae.__file__); pyvae.functional.gaussian_kl"
    returned, said = python("-c", code, cwd=sources, paths=paths)
    assert (returned, said) == (0, f"{installed}/pyvae/__init__.py\n")
    returned, said = python("-m", "pyvae", "list", "priors", cwd=sources, paths=paths)
    assert returned == 0 and "standard_normal" in said
    pytest_ = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    returned, said = python(*pytest_, cwd=sources, paths=paths)
    assert returned == 0 and "1 passed" in said


@pytest.mark.parametrize("arguments", [("-c", "import pyvae"), ("-m", "pyvae", "info")])
@pytest.mark.parametrize("beside_another", [False, True])
def test_without_an_installation_a_sentence_says_what_to_do(
    sources: Path, packages: Path, tmp_path: Path, arguments: tuple[str, str], beside_another: bool
) -> None:
    """A second tree without a native library is no installation."""
    paths = (packages,)
    if beside_another:
        shutil.copytree(sources, tmp_path / "other")
        paths = (tmp_path / "other", packages)
    returned, said = python(*arguments, cwd=sources, paths=paths)
    assert returned == 1
    assert said.splitlines()[-1] == (
        "ImportError: pyvae's native library is not built: install the package (`pip install .` in "
        "its source folder) instead of importing the source tree."
    )
