"""Processes that are killed and disks that fill up at random moments: no state is lost or differs.

``pytest tests/training/test_faults.py --kills 300 -s`` is the long form (docs/faults.md).
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pyvae.training import checkpoint

GRACE = 5.0  # seconds that the others have; those of the command are more, and change nothing
ARGUMENTS = ["train", "--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
ARGUMENTS += ["--eval-samples", "0", "--batch-size", "300", "--steps", "24", "--log-every", "3"]
ARGUMENTS += ["--ema", "0.9", "--clip-grad-norm", "4", "--keep", "2", "--lr", "0.01"]


@dataclass
class Tally:
    """What a sequence of faults found."""

    kills: int = 0
    full: int = 0
    runs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0  # from a kill to the end of the others
    moments: list[int] = field(default_factory=list)  # steps on disk at each fault


def content(run: Path) -> dict[str, object]:
    """All that must not depend on what happened on the way."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    models = {
        str(path.relative_to(run)): path.read_bytes() for path in run.rglob("model.safetensors")
    }
    tensors = {
        name: t.tolist() for name, t in checkpoint.load(run / "checkpoint.safetensors")[0].items()
    }
    return {**models, "rows": rows, "results": (run / "results.json").read_text(), **tensors}


def saved_step(run: Path) -> int:
    """The step of the last state on disk, which must be whole."""
    if not run.exists():
        return 0
    return int(checkpoint.load(run / "checkpoint.safetensors")[1]["step"])


def torment(server: Any, folder: Path, kills: int, seed: int, ranks: int = 1) -> Tally:
    """Kill a run, or let its disk fill up, at random until it is done, over and over."""
    draw, tally, begun = random.Random(seed), Tally(), time.monotonic()
    arguments = [*ARGUMENTS, "--devices", str(ranks)] if ranks > 1 else ARGUMENTS
    length = 0.0
    for whole in (folder / "first", folder / "whole"):  # the second one is as fast as all others
        started = time.monotonic()
        server.start(ranks, arguments=[*arguments, "--out", str(whole)])
        assert server.codes() == [0] * ranks, server.log.read_text()
        length = time.monotonic() - started
    expected = content(whole)
    while tally.kills < kills:
        run, step = folder / f"run-{tally.runs}", 0
        while not (run / "results.json").exists():
            again = ["train", "--resume", str(run), "--quiet"]
            limit = draw.randrange(1, 60_000) if draw.random() < 0.2 and run.exists() else 0
            command = again if run.exists() else [*arguments, "--out", str(run)]
            pids = server.start(ranks, arguments=command, limit=limit)
            if not limit and tally.kills < kills:
                time.sleep(draw.uniform(0, 0.8 * length))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(draw.choice(pids), signal.SIGKILL)
                tally.slowest = max(tally.slowest, watch(pids))
            elif limit:
                watch(pids)
            codes = server.codes()
            if -signal.SIGKILL in codes:
                tally.kills += 1
            elif limit and codes[0]:
                tally.full += 1
                left = {0, 2}  # others are done when the first one draws
                assert codes[0] == 2 and {*codes} <= left, server.log.read_text()
            else:
                assert codes == [0] * ranks, server.log.read_text()
            now = saved_step(run)
            assert now >= step, "a state that was on disk is lost"
            step = now
            tally.moments.append(step)
        tally.runs += 1
        same = content(run) == expected  # their difference would take pytest minutes to show
        assert same, f"{run} differs"
        print(f"{ranks} process(es), {tally.runs} runs, {tally.kills} kills", flush=True)
    tally.seconds = time.monotonic() - begun
    return tally


def watch(pids: list[int]) -> float:
    """Wait for the end of all, as ``pyvae train`` does, which in the end ends them; the seconds."""
    begun = time.monotonic()
    while any(is_running(pid) for pid in pids):
        time.sleep(0.01)
        if time.monotonic() - begun > GRACE:
            for pid in filter(is_running, pids):
                os.kill(pid, signal.SIGKILL)
            break
    return time.monotonic() - begun


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("ranks", [1, 2])
def test_kills_and_full_disks_change_nothing(
    ranks: int, server: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills = request.config.getoption("--kills")
    tally = torment(server, tmp_path, kills, seed=ranks, ranks=ranks)
    assert tally.slowest < 60
    print(
        f"\n{ranks} process(es): {tally.kills} kills, {tally.full} full disks, {tally.runs} runs "
        f"that ended as the one without, {tally.seconds:.0f} s; the others ended within "
        f"{tally.slowest:.1f} s; states at faults {sorted(set(tally.moments))}"
    )
