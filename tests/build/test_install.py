"""What the installed package holds, and what an installation that cannot work says."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import pyvae
from pyvae import _build

ROOT = Path(__file__).parents[2]


def python(*arguments, cwd):
    """Run the interpreter away from the source tree; returns the exit code and all it said."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_installed():
    files = [str(f) for f in importlib.metadata.files("pyvae-fused")]
    assert "pyvae/_build.py" in files
    assert any(f.startswith("pyvae/libpyvae_kernels.") for f in files)
    for module in _build.modules.values():
        assert any(f.startswith(f"pyvae/{module}.") for f in files)
    assert any(f.endswith("licenses/LICENSE") for f in files)
    for file in files:  # the command, the package, its metadata, the hook of an editable install
        known = ("pyvae/", "pyvae_fused-", "_editable_", "__pycache__/_editable_")
        assert file.startswith(known) or Path(file).stem == "pyvae", file
        headers = file.startswith("pyvae/include/pyvae/")  # for densities of other packages
        assert headers or Path(file).suffix not in {".h", ".cpp", ".cu", ".cuh"}, file
    assert (Path(pyvae.__file__).parent / "py.typed").is_file()


def test_the_metadata():
    metadata = importlib.metadata.metadata("pyvae-fused")
    assert pyvae.__version__ == metadata["Version"]
    needed = [r for r in importlib.metadata.requires("pyvae-fused") if "extra ==" not in r]
    assert len(needed) == 1 and needed[0].startswith("torch")
    assert {"train", "test", "dev"} <= set(metadata.get_all("Provides-Extra"))


def test_another_torch_is_refused_before_the_library_is_loaded(tmp_path):
    code = "import torch; torch.__version__ = '2.99.0'; import pyvae"
    returned, said = python("-c", code, cwd=tmp_path)
    assert returned == 1
    assert said.splitlines()[-1] == (
        f"ImportError: pyvae was built against torch {' and '.join(_build.modules)}, but torch "
        "2.99.0 is installed. Build it again for this torch: pip install --force-reinstall "
        "--no-deps --no-cache-dir --no-binary pyvae-fused pyvae-fused (or `pip install .` in its "
        "source folder)."
    )
    assert "undefined symbol" not in said


@pytest.mark.slow
def test_without_torch_the_build_stops_with_one_sentence(tmp_path):
    """The newcomer's own command, but for --no-deps: pip would fetch a torch before it builds."""
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns(".*", "build", "tests", "docs", "runs", "__pycache__")
    shutil.copytree(ROOT, source, ignore=skipped)
    venv.create(tmp_path / "venv", with_pip=True)
    pip = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "pip"
    done = subprocess.run(
        [pip, "install", "--no-deps", "."],
        cwd=source,
        env={name: value for name, value in os.environ.items() if name != "PIP_QUIET"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    said = done.stdout + done.stderr
    if "No matching distribution found for" in said:
        pytest.skip("needs a package index, for what builds the package")
    assert done.returncode != 0
    words = " ".join(said.split())  # CMake breaks lines
    assert words.count("pyvae builds against the PyTorch of your environment and found none") == 1
    sentence = "install PyTorch first (pip install torch), then install pyvae again."
    assert sentence in words
    rest = words.partition(sentence)[2]
    assert "Traceback" not in rest and len(rest) < 1000, f"much is said after it: {rest}"
