"""What ``bench/scale.py --measure`` measures: training by one and by two processes, messages."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from pyvae.benchmarking import machine_facts

HIDDEN, LATENT, ROWS = 500, 20, 100
WARM, STEPS, WINDOW = 100, 200, 50  # steps before the clock starts, while it runs, and at once
SIZES = (4, 4 * 2**10, 2**20, 16 * 2**20)  # bytes of messages


def train_seconds(devices: int, rows: int, dataset: str) -> float:
    """Seconds of a step of ``pyvae train``, of the fastest steps in a row in its metrics.csv.

    Args:
        devices: processes on this machine, each with one thread
        rows: of a batch, of all processes together
        dataset: its name
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "pyvae", "train", "--quiet", "--out", str(run)]
        command += ["--dataset", dataset, "--latent-dim", str(LATENT), "--device", "cpu"]
        command += ["--encoder-args", f"hidden={HIDDEN}", "--decoder-args", f"hidden={HIDDEN}"]
        command += ["--devices", str(devices), "--strategy", "ddp", "--batch-size", str(rows)]
        command += ["--steps", str(WARM + STEPS + 1), "--log-every", str(WINDOW), "--seed", "0"]
        command += ["--eval-every", "1000000", "--eval-samples", "0", "--eval-subset", "100"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        with (run / "metrics.csv").open(newline="") as file:
            at = {int(row["step"]): float(row["seconds"]) for row in csv.DictReader(file)}
    starts = range(WARM, WARM + STEPS, WINDOW)
    return min(at[start + WINDOW] - at[start] for start in starts) / WINDOW


def message_seconds() -> dict[int, float]:
    """Least seconds of an all-reduce by gloo between two processes of this machine, by bytes."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "times.pt"
        multiprocessing.spawn(_messages, (str(Path(folder) / "store"), found), nprocs=2)
        times: dict[int, float] = torch.load(found)
        return times


def _messages(rank: int, store: str, found: Path) -> None:
    torch.set_num_threads(1)
    limit = timedelta(seconds=120)
    distributed.init_process_group(
        "gloo", f"file://{store}", rank=rank, world_size=2, timeout=limit
    )
    least = {}
    for size in SIZES:
        values, times = torch.zeros(size // 4), []
        for _ in range(30):
            distributed.barrier()
            begun = time.perf_counter()
            distributed.all_reduce(values)
            times.append(time.perf_counter() - begun)
        least[size] = min(times)
    if rank == 0:
        torch.save(least, found)
    distributed.destroy_process_group()


def measure(dataset: str, rounds: int = 2) -> dict[str, Any]:
    """Everything, as it stands in ``bench/results/scale.json``.

    Of what is repeated the fastest counts: other programs only ever slow a run down. The rounds
    alternate, so that they slow all alike.
    """
    works = [(1, ROWS // 2), (1, ROWS), (2, ROWS), (2, 2 * ROWS)]
    times = [[train_seconds(*work, dataset) for work in works] for _ in range(rounds)]
    best = [min(each) for each in zip(*times, strict=True)]
    return {
        "machine": {**machine_facts(malloc_raised=True), "threads": 1},  # as in the runs
        "steps": STEPS,
        "window": WINDOW,
        "training": [
            {"processes": n, "rows": rows, "seconds": seconds}
            for (n, rows), seconds in zip(works, best, strict=True)
        ],
        "messages": [
            {"bytes": size, "seconds": seconds} for size, seconds in message_seconds().items()
        ],
    }
