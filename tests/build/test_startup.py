"""What is imported when: help before torch, the library without what only training needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyvae
from pyvae.cli import COMMANDS, main
from pyvae.config import TrainConfig
from pyvae.networks import INITS
from pyvae.settings import settings_of

HOME = str(Path(pyvae.__file__).parents[1])
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": HOME}
#: Packages that cost more than all that the help needs.
HEAVY = {"torch", "numpy", "lightning_fabric", "matplotlib", "tensorboard", "yaml", "pandas"}


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_of_the_command(*words: str) -> set[str]:
    """The modules that are there when the command has done what it was asked for."""
    code = (
        "import atexit, json, runpy, sys\n"
        "atexit.register(lambda: print('\\n' + json.dumps(sorted(sys.modules))))\n"
        "sys.argv[0] = 'pyvae'\n"
        "import pyvae.cli\n"
        "pyvae.cli.main()"
    )
    return set(json.loads(python(code, *words).splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], []], ids=lambda words: str(words))
def test_help_is_there_before_torch(words: list[str]) -> None:
    assert not modules_of_the_command(*words) & HEAVY


def test_the_help_of_no_command_waits_for_torch() -> None:
    code = (
        "import contextlib, io, sys\n"
        "sys.argv = ['pyvae']\n"
        "import pyvae.cli\n"
        "for name in pyvae.cli.COMMANDS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as said:\n"
        "        try:\n"
        "            pyvae.cli.main([name, '--help'])\n"
        "        except SystemExit as left:\n"
        "            assert left.code == 0 and 'usage: ' in said.getvalue(), name\n"
        f"    assert not set(sys.modules) & {HEAVY!r}, name\n"
        "    print(name)"
    )
    assert python(code).split() == list(COMMANDS)


def test_a_command_finds_all_parts_and_ops() -> None:
    """What ``import pyvae`` registers elsewhere, the command registers when it runs."""
    code = (
        "import sys\n"
        "sys.argv = ['pyvae']\n"
        "import pyvae.cli\n"
        "assert 'torch' not in sys.modules\n"
        "pyvae.cli.main(['list', 'posteriors'])\n"
        "import torch\n"
        "print(hasattr(torch.ops.pyvae, 'gaussian_kl'))"
    )
    said = python(code).split()
    assert "diagonal_gaussian" in said and said[-1] == "True"


@pytest.mark.parametrize("argv", ["-m", "/usr/bin/notpyvae"])
def test_any_other_process_has_everything_after_the_import(argv: str) -> None:
    code = f"import sys; sys.argv[0] = {argv!r}; import pyvae; print('VAE' in vars(pyvae))"
    assert python(code) == "True\n"


def test_import_pyvae_loads_nothing_but_torch() -> None:
    code = (
        "import sys, torch, torch.distributions\n"
        "before = {name.partition('.')[0] for name in sys.modules}\n"
        "import pyvae\n"
        "after = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(after - before - set(sys.stdlib_module_names)))"
    )
    assert python(code).split() == ["pyvae"]


def test_import_pyvae_costs_a_fraction_of_import_torch() -> None:
    """0.3 s where torch takes 1.2: CPU time, the least of three tries."""
    code = (
        "import time; t = time.process_time(); import torch; a = time.process_time(); "
        "import pyvae; print((time.process_time() - a) / (a - t))"
    )
    assert any(float(python(code)) < 0.25 for _ in range(3))


def test_names_that_are_imported_late() -> None:
    assert {"fit", "VAE", "functional"} <= set(dir(pyvae))
    assert callable(pyvae.fit)
    with pytest.raises(AttributeError, match="module 'pyvae' has no attribute 'fitt'"):
        pyvae.fitt  # noqa: B018


def test_the_choices_of_a_setting_are_those_of_the_library() -> None:
    """The help states them without importing it."""
    from pyvae.training.trackers import TRACKERS

    known = settings_of(TrainConfig)
    assert known["init"].choices == INITS
    assert known["log"].choices == tuple(TRACKERS)


def test_version_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"pyvae {pyvae.__version__}\n"
