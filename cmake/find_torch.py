"""Prints the folder of the torch package to build against, or nothing where none is found.

Run by the interpreter that pyvae is built with. What it sees may not be the environment that is
installed into, because builds are isolated:

- pip hides the environment behind PYTHONPATH; without that (-E) the interpreter sees it again,
  and with it the base of an environment that was made with --system-site-packages.
- uv builds with an interpreter of another environment and does not say which one is installed
  into; by its own rule that is, unless one is activated or named, ``.venv`` in the folder that it
  was called in or in one above, or conda's environment.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = "--here"


def here():
    """The folder of the torch that this interpreter imports, or None."""
    spec = importlib.util.find_spec("torch")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    return folder if folder and (folder / "version.py").is_file() else None


def interpreters():
    """Commands of interpreters to ask, in this order."""
    yield [sys.executable]
    yield [sys.executable, "-E"]
    if "UV" in os.environ:  # uv names itself to what it starts
        start = Path(os.environ.get("PWD", "."))
        folders = [folder / ".venv" for folder in (start, *start.parents)]
        if "CONDA_PREFIX" in os.environ:
            folders.insert(0, Path(os.environ["CONDA_PREFIX"]))
        for folder in folders:
            for python in (folder / "bin" / "python", folder / "Scripts" / "python.exe"):
                if python.is_file():
                    yield [str(python), "-E"]


def main():
    version = "{}.{}".format(*sys.version_info)
    if HERE in sys.argv:
        print(here() if version == sys.argv[-1] and here() else "")
        return
    for command in interpreters():
        done = subprocess.run(
            [*command, __file__, HERE, version], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        found = done.stdout.decode().strip()
        if found:
            print(found)
            return


if __name__ == "__main__":
    main()
