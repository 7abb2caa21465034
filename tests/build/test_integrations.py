"""What holds of the integrations where their libraries are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

import pyvae.integrations

MODULES = sorted(
    path.stem
    for path in Path(pyvae.integrations.__file__).parent.glob("[!_]*.py")
    if "_library import" in path.read_text()  # the others need nothing but torch
)


def test_importing_the_package_imports_no_library():
    code = (
        "import sys, pyvae; before = set(sys.modules); import pyvae.integrations; "
        "print(sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['pyvae.integrations']"


@pytest.mark.parametrize("name", MODULES)
def test_a_missing_library_is_told_with_what_installs_it(name):
    """Run apart, as if the library were not there."""
    code = (
        "import sys\n"
        f"sys.modules[{name!r}] = None\n"
        "try:\n"
        f"    import pyvae.integrations.{name}\n"
        "except ImportError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith(f"MissingExtraError pyvae.integrations.{name} needs {name}, ")
    assert f'pip install "pyvae-fused[{name}]"' in out.stdout


def test_every_integration_is_an_extra():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for name in MODULES:
        assert f"\n{name} = [" in text
