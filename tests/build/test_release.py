"""What a release is made of: the version of a tag, wheels for the platforms, no torch inside."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")

ROOT = Path(__file__).parents[2]
BUILD = (
    "import sys; from scikit_build_core import build; "
    "print(getattr(build, sys.argv[1])(sys.argv[2]))"
)


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return found


def git(folder: Path, *words: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


def backend(folder: Path, what: str, into: Path) -> str:
    """Call a hook of the build backend there; what it made, by its name."""
    environment = {k: v for k, v in os.environ.items() if "SCM" not in k}
    command = [sys.executable, "-P", "-c", BUILD, what, str(into)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()[-1]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """What the version is read from, in a folder of its own."""
    pytest.importorskip("scikit_build_core", reason="needs the test extra")
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CMakeLists.txt", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "cmake", folder / "cmake")
    return folder


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_version_is_that_of_the_tag_and_stays_in_the_sdist(
    sources: Path, tmp_path: Path
) -> None:
    git(sources, "init", "-q")
    git(sources, "add", "-A")
    git(sources, "commit", "-qm", "all")
    git(sources, "tag", "v7.8.9")
    name = backend(sources, "build_sdist", tmp_path)
    assert name == "pyvae_fused-7.8.9.tar.gz"
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / "pyvae_fused-7.8.9"
    assert not (unpacked / ".git").exists()
    made = backend(unpacked, "prepare_metadata_for_build_wheel", tmp_path)
    assert "\nVersion: 7.8.9\n" in (tmp_path / made / "METADATA").read_text()


def test_sources_without_git_have_a_version(sources: Path, tmp_path: Path) -> None:
    made = backend(sources, "prepare_metadata_for_build_wheel", tmp_path)
    assert "\nVersion: 0.1.0\n" in (tmp_path / made / "METADATA").read_text()


def test_wheels_are_named_for_every_python_and_platform() -> None:
    pytest.importorskip("cibuildwheel", reason="needs the dev extra")
    expected = {
        ("linux", "x86_64"): "manylinux_x86_64",
        ("linux", "aarch64"): "manylinux_aarch64",
        ("macos", "arm64"): "macosx_arm64",
    }
    for (platform, arch), name in expected.items():
        command = [sys.executable, "-P", "-m", "cibuildwheel", "--print-build-identifiers"]
        done = subprocess.run(
            [*command, "--platform", platform, "--archs", arch, str(ROOT)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.split() == [f"cp3{minor}-{name}" for minor in (10, 11, 12, 13)]


def test_no_wheel_takes_torch_along(settings: dict[str, Any]) -> None:
    wheels = settings["tool"]["cibuildwheel"]
    for platform in ("linux", "macos"):
        repair = wheels[platform]["repair-wheel-command"]
        assert "--exclude libtorch" in repair and "--exclude libc10" in repair


def test_the_architectures_are_those_of_a_build_without_a_gpu(settings: dict[str, Any]) -> None:
    given = settings["tool"]["cibuildwheel"]["linux"]["environment"]["CMAKE_ARGS"]
    listed = re.search(
        r"PYVAE_CUDA_WITHOUT_A_GPU ([\d ]+)", (ROOT / "cmake/cuda_archs.cmake").read_text()
    )
    assert listed is not None
    archs = ",".join(listed[1].split())
    assert given == f"-DPYVAE_CUDA=ON -DPYVAE_CUDA_ARCHS={archs}"


def test_wheels_are_for_torches_that_the_package_takes(settings: dict[str, Any]) -> None:
    """Each version since the first one, and Linux passes their list on."""
    yaml = pytest.importorskip("yaml", reason="needs the train extra")
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    folders = workflow["jobs"]["wheels"]["env"]["PYVAE_TORCHES"].split(";")
    built = [re.fullmatch(r"/tmp/torches/2\.(\d+)\.\d+/torch", folder) for folder in folders]
    least = re.fullmatch(r"torch>=2\.(\d+)", settings["project"]["dependencies"][0])
    assert all(built) and least is not None
    minors = [int(match[1]) for match in built if match]
    assert minors == list(range(int(least[1]), int(least[1]) + len(minors)))
    assert "PYVAE_TORCHES" in settings["tool"]["cibuildwheel"]["linux"]["environment-pass"]
    for platform in ("linux", "macos"):
        assert ".github/torches.py" in settings["tool"]["cibuildwheel"][platform]["before-all"]


def test_of_torch_comes_what_a_build_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each package that is named, once, by the version that its folder is called."""
    fetch = runpy.run_path(str(ROOT / ".github/torches.py"))["fetch"]
    asked = []

    def download(command: list[str], check: bool) -> None:
        asked.append(command[-1])
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "torch-2.13.0-cp311-none-any.whl", "w") as wheel:
            for name in ("version.py", "include/ATen/Tensor.h", "nn/functional.py"):
                wheel.writestr(f"torch/{name}", "text")
            for library in ("torch", "torch_cpu", "c10", "torch_cuda", "torch_python"):
                wheel.writestr(f"torch/lib/lib{library}.so", "code")

    monkeypatch.setattr(subprocess, "run", download)
    package = tmp_path / "2.13.0" / "torch"
    fetch(package)
    fetch(package)
    assert asked == ["torch==2.13.0"]
    found = {str(f.relative_to(package)) for f in package.rglob("*") if f.is_file()}
    libraries = {f"lib/lib{name}.so" for name in ("torch", "torch_cpu", "c10")}
    assert found == {"version.py", "include/ATen/Tensor.h", *libraries}


def test_what_builds_the_package_is_in_the_extra_that_tests_it(settings: dict[str, Any]) -> None:
    """The check-list for a GPU builds without isolation."""
    extra = settings["project"]["optional-dependencies"]["test"]
    assert set(settings["build-system"]["requires"]) <= set(extra)
