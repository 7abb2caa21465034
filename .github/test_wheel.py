"""Tests the installed wheel beside each torch that it was built for.

    PYVAE_TORCHES="/tmp/torches/2.13.0/torch;/tmp/torches/2.14.1/torch" python .github/test_wheel.py

Installs them into this environment, one after the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
FILES = ("build/test_install.py", "build/test_build_check.py", "ops/test_values.py")


def test(version: str) -> None:
    """The wheel beside one torch, away from the sources."""
    for words in (
        ["pip", "install", "-q", f"torch=={version}"],
        ["pyvae", "info"],
        ["pytest", "-q", *(str(TESTS / name) for name in FILES)],
    ):
        print("+", *words, flush=True)
        subprocess.run([sys.executable, "-m", *words], check=True, cwd=sys.prefix)


if __name__ == "__main__":
    for name in os.environ["PYVAE_TORCHES"].split(";"):
        test(Path(name).parent.name)
