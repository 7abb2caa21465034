"""The build finds the torch of the environment it installs into, however builds are isolated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CMAKE = Path(__file__).parents[2] / "cmake"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks for bin/python")


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three: with a torch, without, and without on top of the first one's folder of packages."""
    root = tmp_path_factory.mktemp("environments")
    for name in ("torch", "empty"):
        venv.create(root / name, with_pip=False, symlinks=True)
    venv.create(root / "over the base", with_pip=False, symlinks=True, system_site_packages=True)
    make_torch(packages(root / "torch"))
    return root


def packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def make_torch(folder: Path, version: str = "2.99.1+x", cuda: str | None = None) -> Path:
    """A package of the form of torch that cannot be imported, which finding it must not need."""
    lib = folder / "torch" / "lib"
    lib.mkdir(parents=True)
    for name in ("torch", "torch_cpu", "c10"):
        (lib / f"lib{name}.so").touch()
        (lib / f"lib{name}.dylib").touch()
    (lib.parent / "__init__.py").write_text("raise ImportError('not to be imported')")
    (lib.parent / "version.py").write_text(f"__version__ = {version!r}\ncuda: object = {cuda!r}\n")
    return lib.parent


def find(python: Path, **environment: str) -> str:
    names = ("UV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PWD")
    env = {key: value for key, value in os.environ.items() if key not in names}
    command = [python, CMAKE / "find_torch.py"]
    done = subprocess.run(
        command, env={**env, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_in_the_environment_itself(environments: Path) -> None:
    found = find(environments / "torch/bin/python")
    assert found == str(packages(environments / "torch") / "torch")
    assert find(environments / "empty/bin/python") == ""


def test_behind_the_isolation_of_pip(environments: Path, tmp_path: Path) -> None:
    """pip lays a sitecustomize before the environment that takes its packages off the path."""
    site = packages(environments / "torch")
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path = [p for p in sys.path if p != {str(site)!r}]"
    )
    python = environments / "torch/bin/python"
    hidden = [python, "-c", "import importlib.util as u; print(u.find_spec('torch'))"]
    env = {"PYTHONPATH": str(tmp_path)}
    assert subprocess.run(hidden, env=env, capture_output=True, text=True).stdout == "None\n"
    assert find(python, **env) == str(site / "torch")


def test_in_the_base_of_an_environment(environments: Path, tmp_path: Path) -> None:
    """With --system-site-packages the torch may lie where the base interpreter has its own."""
    python = environments / "over the base/bin/python"
    make_torch(tmp_path)
    # The base's own folder of packages is not ours to write to; a .pth file adds one to it.
    (packages(environments / "over the base") / "base.pth").write_text(str(tmp_path))
    assert find(python) == str(tmp_path / "torch")


def test_behind_the_isolation_of_uv(environments: Path, tmp_path: Path) -> None:
    """uv builds with another interpreter; the environment is .venv where it was called."""
    build = environments / "empty/bin/python"
    project = tmp_path / "project"
    (project / "below").mkdir(parents=True)
    (project / ".venv").symlink_to(environments / "torch")
    expected = packages(environments / "torch") / "torch"
    for folder in (project, project / "below"):
        found = find(build, UV="/usr/bin/uv", PWD=str(folder))
        assert found and Path(found).resolve() == expected.resolve()
    assert find(build, PWD=str(project)) == ""  # not uv: nothing is guessed
    assert find(build, UV="/usr/bin/uv", PWD=str(tmp_path)) == ""
    conda = find(build, UV="/usr/bin/uv", PWD=str(tmp_path), CONDA_PREFIX=f"{project}/.venv")
    assert conda and Path(conda).resolve() == expected.resolve()


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
class TestCMake:
    """What cmake/torch.cmake makes of it, in a project that compiles nothing."""

    def configure(self, tmp_path: Path, python: Path, *options: str, **environment: str) -> str:
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\n"
            "project(probe LANGUAGES NONE)\n"
            f'set(Python_EXECUTABLE "{python}")\n'
            'set(Python_SITELIB "/its/site-packages")\n'
            'set(CMAKE_FIND_LIBRARY_PREFIXES "lib")\n'
            'set(CMAKE_FIND_LIBRARY_SUFFIXES ".so" ".dylib")\n'
            f'include("{CMAKE}/torch.cmake")\n'
            'message(STATUS "cuda <${PYVAE_TORCH_CUDA}>")\n'
            "foreach(torch IN LISTS PYVAE_TORCH_TARGETS)\n"
            "get_target_property(libraries ${torch} INTERFACE_LINK_LIBRARIES)\n"
            'message(STATUS "<${torch}> ${PYVAE_VERSION_OF_${torch}} ${libraries}")\n'
            "endforeach()\n"
        )
        env = {
            key: value for key, value in os.environ.items() if key not in ("UV", "PYVAE_TORCHES")
        }
        done = subprocess.run(
            ["cmake", "-S", source, "-B", tmp_path / "build", *options],
            env={**env, "PWD": str(tmp_path), **environment},
            capture_output=True,
            text=True,
        )
        return " ".join((done.stdout + done.stderr).split())

    def test_its_version_is_read(self, environments: Path, tmp_path: Path) -> None:
        said = self.configure(tmp_path, environments / "torch/bin/python")
        assert "pyvae: building against PyTorch 2.99.1+x in " in said
        assert "cuda <>" in said and "<torch2_99> 2.99.1+x" in said and "Configuring done" in said

    def test_a_folder_of_builds_serves_another_environment(
        self, environments: Path, tmp_path: Path
    ) -> None:
        self.configure(tmp_path, environments / "torch/bin/python")
        other = make_torch(tmp_path / "other")
        python = environments / "empty/bin/python"
        said = self.configure(tmp_path, python, PYVAE_TORCHES=str(other))
        assert f"<torch2_99> 2.99.1+x {other}/lib/libtorch." in said
        assert str(environments) not in said.partition("building against")[2]

    def test_several_are_named(self, environments: Path, tmp_path: Path) -> None:
        """By a variable of CMake, which comes before that of the environment."""
        versions = ("2.13.0", "2.13.1+cpu", "2.14.0.dev20261101+cpu")
        a, b, c = (make_torch(tmp_path / v, v, "13.0" if "dev" in v else None) for v in versions)
        python = environments / "torch/bin/python"
        said = self.configure(tmp_path, python, f"-DPYVAE_TORCHES={a};{c}", PYVAE_TORCHES=str(b))
        assert "cuda <13.0>" in said and str(b) not in said and "2.99.1" not in said
        assert f"<torch2_13> 2.13.0 {a}/lib/libtorch." in said
        assert f"<torch2_14_0_dev20261101_cpu> 2.14.0.dev20261101+cpu {c}/lib/libtorch." in said
        said = self.configure(tmp_path, python, f"-DPYVAE_TORCHES={a};{b}")
        assert "PYVAE_TORCHES names two packages of torch 2.13; one serves both." in said

    def test_none_is_said_with_what_helps(self, environments: Path, tmp_path: Path) -> None:
        python = environments / "empty/bin/python"
        said = self.configure(tmp_path, python)
        assert "found none in /its/site-packages: install PyTorch first (pip install torch)" in said
        said = self.configure(tmp_path, python, UV="/usr/bin/uv")
        assert "which uv hides from builds" in said
        assert "`uv pip install --no-build-isolation`" in said
        said = self.configure(tmp_path, python, f"-DPYVAE_TORCHES={tmp_path}")
        assert f"against PyTorch, and {tmp_path} is not the folder of a torch package" in said
        assert "PYVAE_TORCHES names another" in said
