"""Installs the wheels, or the sources where they do not load, and says what is there.

python -m lease.install WHEELS SITE
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lease.entries import tell
from lease.jobs import ROOT

LOADS = "import pyvae; print(pyvae.__file__)"
INTO = ("--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade", "--target")


def pip(*arguments: str, **more: str) -> tuple[bool, str]:
    command = [sys.executable, "-m", "pip", "install", "-q", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, (done.stdout + done.stderr)[-700:]


def loads() -> tuple[bool, str]:
    """Whether the package can be imported, and from where or why not."""
    done = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=False
    )
    return done.returncode == 0, (done.stdout if done.returncode == 0 else done.stderr)[
        -700:
    ].strip()


def install(wheels: Path, site: Path) -> bool:
    """Whether there is a package now that loads."""
    found = sorted(map(str, wheels.glob("*.whl")))
    if found:
        shutil.rmtree(site, ignore_errors=True)
        good, said = pip(*INTO, str(site), *found)
        if not good:
            tell("wheels", failed=said)
    good, said = loads()
    if good:
        tell("package", wheels=[Path(name).name for name in found], path=said)
        return True
    tell("package", wheels=[Path(name).name for name in found], failed=said)
    good, said = pip(
        "--no-build-isolation", *INTO, str(site), str(ROOT), CMAKE_ARGS="-DPYVAE_CUDA=ON"
    )
    if not good:
        tell("build", failed=said)
        return False
    good, said = loads()
    tell("build", path=said) if good else tell("build", failed=said)
    return good


def main() -> int:
    wheels, site = map(Path, sys.argv[1:])
    if not install(wheels, site):
        return 1
    importlib.invalidate_caches()  # the folder was not there when this process began
    import torch
    from gpu import device_facts

    from pyvae.benchmarking import machine_facts
    from pyvae.cli.info import facts

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tell("facts", **{**machine_facts(), **facts(), **device_facts(device)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
