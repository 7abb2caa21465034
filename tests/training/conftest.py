"""A small run, and processes of the command that a test starts and kills: see forking.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lightning_fabric.plugins.environments.lightning import find_free_network_port

import pyvae
from pyvae.cli import main

sys.path.append(str(Path(__file__).parent))  # for small_runs.py
from small_runs import SMALL


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of six steps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--out", str(out), *SMALL]) == 0
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a small run, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@dataclass
class Server:
    """What forks them off.

    Args:
        process: that of forking.py
        log: what all of them say
    """

    process: subprocess.Popen[str]
    log: Path

    def start(self, ranks: int, *, watched: bool = False, **request: Any) -> list[int]:
        """The process ids of as many processes of one run, perhaps with one that watches them."""
        places = environments(ranks)
        if watched:
            places = [{**place, "PYVAE_PARENT": str(self.process.pid)} for place in places]
        request = {"environments": places, "log": str(self.log), **request}
        assert self.process.stdin is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        pids: list[int] = json.loads(self._line())
        return pids

    def codes(self) -> list[int]:
        """The exit codes of those that were started, when all have ended."""
        codes: list[int] = json.loads(self._line())
        return codes

    def said(self) -> str:
        """What all of them have said so far."""
        return self.log.read_text() if self.log.exists() else ""

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = Path(__file__).with_name("forking.py")
    home = str(Path(pyvae.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": home},
    ) as process:
        yield Server(process, tmp_path_factory.mktemp("server") / "log")
        assert process.stdin is not None
        process.stdin.close()


def environments(ranks: int) -> list[dict[str, str]]:
    """What each of several processes finds in its environment."""
    if ranks == 1:
        return [{}]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port())}
    return [{**shared, "LOCAL_RANK": str(rank), "NODE_RANK": "0"} for rank in range(ranks)]
