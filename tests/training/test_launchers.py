"""Processes that others have started: torchrun, and SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lightning_fabric.plugins.environments.lightning import find_free_network_port

import pyvae
from pyvae.config import TrainConfig
from pyvae.errors import RunError
from pyvae.training import checkpoint
from pyvae.training.distributed import launch as launch_module
from pyvae.training.distributed.launch import LOST, launch

COMMAND = ["train", "--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
COMMAND += ["--eval-samples", "0", "--batch-size", "300", "--steps", "6", "--devices", "2"]


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def ours(server: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of the run whose processes the command has started."""
    run = tmp_path_factory.mktemp("launchers") / "run"
    server.start(2, arguments=[*COMMAND, "--out", str(run)])
    assert server.codes() == [0, 0], server.log.read_text()
    return weights(run)


def slurm(tasks: int, port: int | None = None) -> list[dict[str, str]]:
    """What each task of a job step finds in its environment."""
    shared = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "vae", "SLURM_NODEID": "0"}
    shared |= {"SLURM_NTASKS": str(tasks), "SLURM_NTASKS_PER_NODE": str(tasks)}
    shared |= {"SLURM_NNODES": "1", "SLURM_NODELIST": "127.0.0.1"}
    shared |= {"MASTER_PORT": str(port or find_free_network_port())}
    return [{**shared, "SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)} for n in range(tasks)]


def test_tasks_of_slurm_train_together(ours: bytes, server: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    server.start(2, arguments=[*COMMAND, "--out", str(run)], environments=slurm(2))
    assert server.codes() == [0, 0], server.log.read_text()
    same = weights(run) == ours
    assert same
    more = ["--devices", "2", "--steps", "9"]
    server.start(2, arguments=["train", "--resume", str(run), *more], environments=slurm(2))
    assert server.codes() == [0, 0], server.log.read_text()
    assert checkpoint.load(run / "checkpoint.safetensors")[1]["step"] == 9


def test_tasks_of_slurm_that_train_a_run_each(server: Any, tmp_path: Path) -> None:
    """A run of one process is nobody's business, whatever number its task has."""
    second = slurm(2)[1:]
    run = tmp_path / "run"
    command = [*COMMAND, "--devices", "1", "--out", str(run)]
    server.start(1, arguments=command, environments=second)
    assert server.codes() == [0], server.log.read_text()
    assert (run / "results.json").is_file()


def test_other_tasks_than_the_run_wants(server: Any, tmp_path: Path) -> None:
    command = [*COMMAND, "--devices", "3", "--out", str(tmp_path / "run")]
    server.start(2, arguments=command, environments=slurm(2))
    assert server.codes() == [2, 2]
    assert "--devices 3 --num-nodes 1" in server.log.read_text()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_torchrun(ours: bytes, tmp_path: Path) -> None:
    run, home = tmp_path / "run", str(Path(pyvae.__file__).parents[1])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    torchrun += ["--master-port", str(find_free_network_port()), "-m", "pyvae"]
    done = subprocess.run(
        [*torchrun, *COMMAND, "--out", str(run)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": home},
    )
    assert done.returncode == 0, done.stderr
    same = weights(run) == ours
    assert same


@contextmanager
def machines(*more: str) -> Iterator[list[subprocess.Popen[str]]]:
    """The command on each of two machines, which are this one."""
    home = str(Path(pyvae.__file__).parents[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port())}
    command = [sys.executable, "-m", "pyvae", *COMMAND, "--devices", "1", "--num-nodes", "2", *more]
    started = []
    for node in ("0", "1"):
        own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": home, "NODE_RANK": node}
        env = {**os.environ, **shared, **own}
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env))
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_two_machines_with_a_process_each(ours: bytes, tmp_path: Path) -> None:
    """They train as two processes of one machine do, and a signal to one of them ends both."""
    run, stopped = tmp_path / "run", tmp_path / "stopped"
    with machines("--out", str(run)) as started:
        said = [process.communicate(timeout=300)[1] for process in started]
        assert [process.returncode for process in started] == [0, 0], said
    same = weights(run) == ours
    assert same
    with machines("--out", str(stopped), "--steps", "1000000") as started:
        deadline = time.monotonic() + 300
        while not (stopped / "model.safetensors").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started[1].send_signal(signal.SIGTERM)
        said = [process.communicate(timeout=300)[1] for process in started]
        assert [process.returncode for process in started] == [143, 143], said
    step = checkpoint.load(stopped / "checkpoint.safetensors")[1]["step"]
    assert f"stopped after {step} steps" in said[0]


@pytest.mark.parametrize("ranks", [[0], [1], [0, 1]], ids=["the first", "the second", "both"])
def test_memory_that_one_of_two_lacks(ranks: list[int], server: Any, tmp_path: Path) -> None:
    """It says so, and the other one does not wait for it; what was saved goes on."""
    run, before = tmp_path / "run", len(server.said())
    command = [*COMMAND, "--steps", "1000", "--out", str(run)]
    server.start(2, arguments=command, lacks=[ranks, 5], watched=True)
    codes = server.codes()
    said = server.said()[before:]
    assert codes == [2 if rank in ranks else LOST for rank in range(2)], said
    short = "too little memory on the GPU for a training step of 150 rows at once: give"
    assert said.count(short) == len(ranks)
    assert said.count("--accumulate above 1") == len(ranks)
    assert said.count("another process of this run has ended") == 2 - len(ranks)
    resumed = ["train", "--resume", str(run), "--steps", "8", "--quiet"]
    server.start(2, arguments=resumed)
    assert server.codes() == [0, 0], server.log.read_text()


def fake(monkeypatch: pytest.MonkeyPatch, *scripts: str) -> None:
    """Let the processes of a run do something else."""

    def start(environment: dict[str, str], _: object, said: Any) -> subprocess.Popen[bytes]:
        script = f"import os, sys, time; {scripts[int(environment['LOCAL_RANK'])]}"
        return subprocess.Popen([sys.executable, "-c", script], stderr=said or subprocess.DEVNULL)

    monkeypatch.setattr(launch_module, "_start", start)


SHORT = "sys.stderr.write('pyvae: error: too little memory\\n'); sys.exit(2)"
LATER = f"time.sleep(0.5); {SHORT}"


@pytest.mark.parametrize(
    ("scripts", "outcome"),
    [
        (("", ""), 0),
        ((SHORT, SHORT), 2),  # which the first one has said
        ((SHORT, f"time.sleep(0.5); sys.exit({LOST})"), 2),
        ((f"sys.exit({LOST})", LATER), "process 1 of the 2 on this machine has ended: too lit"),
        ((f"time.sleep(0.5); sys.exit({LOST})", SHORT), "has ended: too little memory; what was"),
        ((f"sys.exit({LOST})", f"sys.exit({LOST})"), 2),  # the cause is on another machine
        ((f"sys.exit({LOST})", "time.sleep(0.2); 1 / 0"), "has broken: ZeroDivisionError"),
        ((f"sys.exit({LOST})", "time.sleep(0.2); os.kill(os.getpid(), 9)"), "ended by SIGKILL"),
        (("os.kill(os.getpid(), 9)", f"sys.exit({LOST})"), "process 0 of the 2 .* by SIGKILL"),
    ],
)
def test_the_process_that_was_the_cause_is_heard(
    scripts: tuple[str, ...], outcome: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one speaks for all, but cannot know what another one ended of."""
    fake(monkeypatch, *scripts)
    config = TrainConfig(devices=2)
    if isinstance(outcome, int):
        assert launch(config, []) == outcome
        return
    with pytest.raises(RunError, match=outcome):
        launch(config, [])
