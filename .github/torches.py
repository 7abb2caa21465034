"""Fetches the packages of torch that PYVAE_TORCHES names, for the build of a wheel.

    PYVAE_TORCHES="/tmp/torches/2.13.0/torch;/tmp/torches/2.14.1/torch" python .github/torches.py

The folder above each package is its version. Of a package comes what a build reads: the headers,
three libraries and the version, which are the same for every Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WANTED = re.compile(r"torch/(include/|lib/lib(torch|torch_cpu|c10)\.(so|dylib)$|version\.py$)")


def fetch(package: Path) -> None:
    """One package, unless it is there."""
    if (package / "version.py").is_file():
        return
    release = f"torch=={package.parent.name}"
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir"]
        subprocess.run([*pip, "--only-binary=:all:", "-d", folder, release], check=True)
        (wheel,) = Path(folder).glob("torch-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = filter(WANTED.match, archive.namelist())
            # The version last: with it, the package is whole.
            archive.extractall(package.parent, sorted(names, key=lambda n: "version.py" in n))


if __name__ == "__main__":
    for name in os.environ["PYVAE_TORCHES"].split(";"):
        fetch(Path(name))
        print(name)
