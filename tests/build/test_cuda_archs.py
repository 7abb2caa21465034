"""Which GPUs the CUDA kernels are compiled for: those of the machine, else a short list."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CMAKE = Path(__file__).parents[2] / "cmake"

pytestmark = pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")


def archs(
    tmp_path: Path, *, given: str = "", gpus: str | None = None, known: str = "80 86 89 90 100 120"
) -> tuple[list[str], str]:
    """What is chosen, and all that is said, beside GPUs and a compiler of these capabilities."""
    tools = tmp_path / "tools"
    tools.mkdir()
    scripts = {"nvcc": "\n".join(f"compute_{arch}" for arch in known.split())}
    if gpus is not None:
        scripts["nvidia-smi"] = gpus
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        (tools / name).chmod(0o755)
    script = tmp_path / "script.cmake"
    script.write_text(
        f'include("{CMAKE}/cuda_archs.cmake")\n'
        f'pyvae_cuda_archs(archs "{given}" "{tools}/nvcc")\n'
        'message(STATUS "chosen <${archs}>")\n'
    )
    command = [shutil.which("cmake"), "-P", script]
    path = f"{tools}:/usr/bin:/bin"
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True)
    said = " ".join((done.stdout + done.stderr).split())
    chosen = said.partition("chosen <")[2].partition(">")[0]
    return chosen.split(";") if chosen else [], said


@pytest.mark.parametrize(
    ("gpus", "known", "expected"),
    [
        ("9.0", "80 90 120", ["90"]),
        ("9.0\n9.0\n8.6", "80 86 90 120", ["86", "90"]),
        ("12.0\n8.9", "80 89 90 100 120", ["89", "120"]),
        ("10.3", "80 90 100 120", ["100"]),  # the compiler is older than the GPU
        ("12.1", "80 90", ["90"]),
        ("[N/A]", "80 90 120", ["80", "90"]),  # nvidia-smi without a driver
    ],
)
def test_those_of_the_gpus(tmp_path: Path, gpus: str, known: str, expected: list[str]) -> None:
    assert archs(tmp_path, gpus=gpus, known=known)[0] == expected


@pytest.mark.skipif(Path("/usr/bin/nvidia-smi").exists(), reason="this machine has a GPU")
def test_a_short_list_without_a_gpu(tmp_path: Path) -> None:
    chosen, said = archs(tmp_path)
    assert chosen == ["80", "90"]
    assert (
        "pyvae: compiling CUDA kernels for sm_80, sm_90 (there is no GPU here to choose by)" in said
    )
    assert "CMAKE_ARGS=-DPYVAE_CUDA_ARCHS=90 before the command makes it sm_90 alone" in said


def test_a_gpu_that_is_too_old_is_named(tmp_path: Path) -> None:
    chosen, said = archs(tmp_path, gpus="7.5\n8.6")
    assert chosen == ["86"]
    assert "compute capability 8.0 or newer: one of this machine's has 7.5" in said


@pytest.mark.parametrize("given", ["90,80", "80;90", "sm_90, sm_80,sm_90"])
def test_those_that_are_given(tmp_path: Path, given: str) -> None:
    chosen, said = archs(tmp_path, given=given, gpus="12.0")
    assert chosen == ["80", "90"]
    assert "as PYVAE_CUDA_ARCHS says" in said


@pytest.mark.parametrize("given", ["75", "native", "80;x"])
def test_what_is_no_architecture(tmp_path: Path, given: str) -> None:
    _, said = archs(tmp_path, given=given)
    assert "PYVAE_CUDA_ARCHS must be numbers from 80 on, as 80;90, got" in said


def test_one_needs_no_shortening(tmp_path: Path) -> None:
    assert "before the command" not in archs(tmp_path, gpus="9.0")[1]
