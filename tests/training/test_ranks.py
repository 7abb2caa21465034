"""Several processes: their numbers are those of one, and they end together."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import load_file
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import pyvae
from pyvae import VAE
from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.models import Model
from pyvae.registry import objectives, registries
from pyvae.training import RunFolder, StopRequest, Trainer, build, checkpoint
from pyvae.training.distributed.launch import _environment
from pyvae.training.distributed.ranks import keep_constants
from pyvae.training.optimization.step import Losses, Part

pytestmark = pytest.mark.usefixtures("one_thread")

OBJECTIVES = [name for name in objectives.names() if objectives.origin(name) == "pyvae"]
ALONE = "aggressive_inference"  # which says so
STRATEGIES = ("ddp", "fsdp")
WIDTHS: dict[str, Any] = {"encoder_args": {"hidden": [8]}, "decoder_args": {"hidden": [8]}}
SMALL = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
SMALL += ["--eval-samples", "0", "--batch-size", "300", "--log-every", "3"]


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of this process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def settings(objective: str) -> dict[str, Any]:
    own = {"objective_args": {"hidden": [8]}} if objective in ("aae", "factor_vae") else {}
    model = (objectives.get(objective).models or ("vae",))[0]
    return {
        "model": model,
        "objective": objective,
        "batch_size": 101,  # which two processes cannot share evenly
        "steps": 9,
        "log_every": 3,
        "eval_every": 6,
        "eval_samples": 0,
        "eval_subset": 50,
        "optimizer": "sgd",
        "lr": 1e-3,
        "clip_grad_norm": 5.0,
        **({} if model == "rbm" else WIDTHS),
        **own,
    }


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same_numbers(a: Path, b: Path) -> None:
    """Weights and figures, to rounding."""
    one, other = (load_file(run / "model.safetensors") for run in (a, b))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert_close(value, other[name], rtol=1e-4, atol=1e-6, msg=lambda text: f"{name}: {text}")  # noqa: B023
    for first, second in zip(rows(a), rows(b), strict=True):
        assert first.keys() == second.keys()
        for name, text in first.items():
            assert (text == "") == (second[name] == "")
            if text:
                assert float(text) == pytest.approx(float(second[name]), rel=1e-4, abs=1e-6), name


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process that goes through the parts of each batch in turn, by objective."""
    home = tmp_path_factory.mktemp("one")
    for name in OBJECTIVES:
        if name != ALONE:
            config = TrainConfig(**settings(name), accumulate=2)
            parts, folder = build(config), RunFolder(home / name)
            folder.create(config, parts.model, {})
            Trainer(config, parts, folder, quiet=True).fit(StopRequest())
            folder.release()
    return home


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_objective_gives_the_numbers_of_one_process(
    strategy: str, one_process: Path, server: Any, tmp_path: Path
) -> None:
    """With the same noise for the same parts."""
    two = {"devices": 2, "strategy": strategy}
    runs = {str(tmp_path / n): {**settings(n), **two} for n in OBJECTIVES}
    server.start(2, runs=runs, apart=strategy == "ddp")  # where parting has been a matter of luck
    assert server.codes() == [0, 0], server.log.read_text()
    assert "trains in one process" in (tmp_path / f"{ALONE}.txt").read_text()
    for name in OBJECTIVES:
        if name != ALONE:
            assert_same_numbers(one_process / name, tmp_path / name)


def built(part: str, kind: str, seed: int) -> Model | None:
    """A model with this part, for colour images; None where the part needs something else."""
    torch.manual_seed(seed)
    shape = (3, 8, 8)
    try:
        return VAE(shape, 4, **{kind: part, "likelihood": "gaussian"})
    except ValueError:
        return None


@pytest.mark.parametrize("kind", ["encoder", "decoder", "posterior", "prior"])
def test_constants_are_not_sent(kind: str, alone: None) -> None:
    """Masks and the like are the same in all processes, and may be views that none can receive."""
    names = registries[f"{kind}s"].names()
    models = {name: [built(name, kind, seed) for seed in (0, 1)] for name in names}
    assert sum(pair[0] is not None for pair in models.values()) >= 3
    for name, (one, other) in models.items():
        if one is None or other is None:
            continue
        losses = Losses(one, objectives.create("elbo"))
        keep_constants(losses)
        received = {id(buffer) for buffer in DistributedDataParallel(losses).modules_buffers}
        state, others = one.state_dict(), dict(other.named_buffers())
        for key, buffer in one.named_buffers():
            assert (id(buffer) in received) == (key in state), f"{name}: {key}"
            assert key in state or torch.equal(buffer, others[key]), f"{name}: {key}"


def test_two_processes_train_a_decoder_of_colour_images(server: Any, tmp_path: Path) -> None:
    """Its positions are a view, which is the same for all colours."""
    numpy.save(tmp_path / "x.npy", numpy.random.default_rng(0).random((40, 3, 6, 6), "float32"))
    runs = {}
    for devices in (1, 2):
        parts = {"model": "autoregressive", "decoder": "made", "likelihood": "gaussian"}
        more = {"devices": devices, "accumulate": 3 - devices, "decoder_args": {"hidden": [8]}}
        own = {"dataset": str(tmp_path / "x.npy"), "batch_size": 10}
        runs[devices] = {**settings("elbo"), **own, **parts, **more}
        runs[devices].pop("encoder_args")
    folders = {n: tmp_path / str(n) for n in runs}
    for n, run in runs.items():
        server.start(n, runs={str(folders[n]): run})
        assert server.codes() == [0] * n, server.log.read_text()
    assert_same_numbers(folders[1], folders[2])


def test_parts_are_dealt_out_whole() -> None:
    """The parts of all processes are those of one, with their rows, numbers and shares."""

    def parts_of(**more: Any) -> list[Part]:
        config = TrainConfig(batch_size=101, **WIDTHS, **more)
        parts = build(config)
        trainer = Trainer(config, parts, RunFolder("nowhere"), quiet=True)
        return trainer.engine.values(3, trainer.batches.next_parts(config.cuts))

    parts = parts_of(accumulate=4)
    assert [part.number for part in parts] == [0, 1, 2, 3]
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert [len(part.rows) for part in parts] == [26, 25, 25, 25]
    assert not torch.equal(parts[1].rows.x, parts[2].rows.x)
    again = parts_of(accumulate=4)
    assert all(torch.equal(a.rows.x, b.rows.x) for a, b in zip(parts, again, strict=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_stop_and_resume_as_if_never_stopped(
    strategy: str, server: Any, tmp_path: Path
) -> None:
    """Bitwise with as many processes, and to rounding with one, or with another strategy."""
    command = ["train", *SMALL, "--devices", "2", "--strategy", strategy, "--steps", "40"]
    command += ["--optimizer", "sgd", "--optimizer-args", "momentum=0.9", "--ema", "0.9"]
    command += ["--clip-grad-norm", "20"]
    server.start(2, arguments=[*command, "--out", str(tmp_path / "whole")])
    assert server.codes() == [0, 0], server.log.read_text()
    run = tmp_path / "parts"
    pids = server.start(2, arguments=[*command, "--out", str(run)])
    wait_for(run / "model.safetensors")  # after the first steps
    os.kill(pids[1], signal.SIGTERM)  # one is asked, and all stop
    assert server.codes() == [143, 143], server.log.read_text()
    stopped = checkpoint.load(run / "checkpoint.safetensors")[1]["step"]
    assert 0 < stopped < 40
    assert f"stopped after {stopped} steps" in server.log.read_text()
    one, other = tmp_path / "one", tmp_path / "other"
    for copy in (one, other):
        shutil.copytree(run, copy)
    resume = ["train", "--quiet", "--resume"]
    server.start(2, arguments=[*resume, str(run)])
    assert server.codes() == [0, 0], server.log.read_text()
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    same = (run / "model.safetensors").read_bytes() == whole
    assert same
    assert rows(run) == rows(tmp_path / "whole")
    assert main([*resume, str(one), "--devices", "1", "--accumulate", "2"]) == 0
    assert_same_numbers(one, run)
    [another] = {*STRATEGIES} - {strategy}
    server.start(2, arguments=[*resume, str(other), "--strategy", another])
    assert server.codes() == [0, 0], server.log.read_text()
    assert_same_numbers(other, run)


def test_a_process_that_is_killed_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    run = tmp_path / "run"
    home = str(Path(pyvae.__file__).parents[1])
    more = ["--devices", "2", "--steps", "1000000", "--eval-every", "1000000", "--out", str(run)]
    started = subprocess.Popen(
        [sys.executable, "-m", "pyvae", "train", *SMALL, *more],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": home},
    )
    wait_for(run / "model.safetensors")
    second = next(pid for pid in children(started.pid) if rank_of(pid) == "1")
    os.kill(second, signal.SIGKILL)
    begun = time.monotonic()
    _, said = started.communicate(timeout=60)
    assert started.returncode == 2
    assert time.monotonic() - begun < 60
    assert "another process of this run has ended or cannot be reached" in said
    assert f"pyvae train --resume {run}" in said
    assert "process 1 of the 2 on this machine was ended by SIGKILL" in said
    assert not children(started.pid)
    step = checkpoint.load(run / "checkpoint.safetensors")[1]["step"]
    more = ["--devices", "1", "--accumulate", "2", "--steps", str(step + 3)]
    assert main(["train", "--resume", str(run), "--quiet", *more]) == 0
    assert json.loads((run / "results.json").read_text())["step"] == step + 3


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.005)


def children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):
            continue
        if int(fields["PPid"]) == parent and not fields["State"].startswith("Z"):
            found.append(int(status.parent.name))
    return found


def rank_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(w.decode().split("=", 1) for w in words if b"=" in w).get("LOCAL_RANK", "")


def test_what_others_left_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One machine finds a port of its own; several take what all of them have been told."""
    monkeypatch.setenv("MASTER_ADDR", "elsewhere")
    monkeypatch.setenv("MASTER_PORT", "0")
    one = _environment(TrainConfig(devices=2))
    assert one["MASTER_ADDR"] == "127.0.0.1" and int(one["MASTER_PORT"]) > 0
    several = _environment(TrainConfig(devices=2, num_nodes=2))
    assert (several["MASTER_ADDR"], several["MASTER_PORT"]) == ("elsewhere", "0")


def test_settings_that_cannot_be_had() -> None:
    with pytest.raises(UserError, match="--batch-size must be at least the 6 parts"):
        TrainConfig(batch_size=5, devices=3, accumulate=2)
    with pytest.raises(UserError, match="--precision 16 needs CUDA; on the CPU take bf16"):
        config = TrainConfig(precision="16", device="cpu", **WIDTHS)
        Trainer(config, build(config), RunFolder("nowhere"), quiet=True)
    with pytest.raises(UserError, match="fsdp does not go with --compile"):
        TrainConfig(devices=2, strategy="fsdp", compile=True)
    with pytest.raises(UserError, match=r"fsdp takes --precision .*, got 16"):
        TrainConfig(devices=2, strategy="fsdp", precision="16")
