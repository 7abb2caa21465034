"""What a call of the row loop does is a list of passes, to be looked at without running it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"


def test_schedules(tmp_path):
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not compiler:
        pytest.skip("needs a C++ compiler")
    base = Path(torch.__file__).parent
    program = tmp_path / "schedule"
    sources = [HERE / "schedule.cpp", CSRC / "ops/schedule.cpp"]
    flags = ["-std=c++20", "-O0", "-Wall", "-Werror", f"-I{CSRC}", "-isystem", f"{base}/include"]
    link = [f"-L{base}/lib", "-lc10", f"-Wl,-rpath,{base}/lib"]
    command = [compiler, *flags, *map(str, sources), "-o", str(program), *link]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.stdout.strip() == "as scheduled", done.stdout + done.stderr
