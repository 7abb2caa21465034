"""Training on a file larger than memory, against the same rows in memory.

    python bench/out_of_core.py --gigabytes 20 --limit 4 --folder DIR

Writes a ``.npy`` file of random grey levels (N, 784), trains ``pyvae train`` on it as a child whose
addresses are limited (``ulimit -v``), and on a smaller file of the same kind that is held in
memory, by turns, with a network that is next to nothing and with one of 500 hidden units. Speeds
are those that the runs record in ``metrics.csv``, of the steps between the first record and the
last; on a machine that is shared, what a second of the processor does tells more. Peaks of memory
are what the system says of a child that has ended. The large file is removed.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pyvae.benchmarking import markdown

COLUMNS, BLOCK = 784, 2**15
GIGABYTE = 10**9
NETWORKS = {  # options of pyvae train, rows of a batch, steps
    "tiny": (["--encoder-args", "hidden=1", "--decoder-args", "hidden=1"], 1000, 4000),
    "500 hidden units": (
        ["--encoder-args", "hidden=500", "--decoder-args", "hidden=500"],
        100,
        1500,
    ),
}


@dataclass(frozen=True)
class Run:
    """What was measured of one training.

    Args:
        rows: a second, of training alone
        rows_cpu: a second of the processor
        resident: the most memory that was held, in bytes, by ``ru_maxrss``
        start: seconds before the first step
    """

    rows: float
    rows_cpu: float
    resident: int
    start: float


def write(path: Path, size: float) -> None:
    """A file of random bytes of about a size, whose rows differ in brightness."""
    rows = int(size) // COLUMNS
    generator = np.random.default_rng(0)
    with open(path, "wb") as file:
        said = {"descr": "|u1", "fortran_order": False, "shape": (rows, COLUMNS)}
        np.lib.format.write_array_header_1_0(file, said)
        noise = generator.integers(0, 128, (BLOCK, COLUMNS), dtype=np.uint8)
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            shift = generator.integers(0, 128, (count, 1), dtype=np.uint8)
            file.write((noise[:count] + shift).data)


def train(path: Path, folder: Path, network: str, limit: int | None, stream: bool) -> Run:
    """Train as a child."""
    options, batch, steps = NETWORKS[network]
    out = Path(tempfile.mkdtemp(dir=folder))
    command = [
        *(
            sys.executable,
            "-m",
            "pyvae",
            "train",
            "--dataset",
            str(path),
            "--out",
            str(out / "run"),
        ),
        *("--dataset-args", "levels=255", f"streaming={str(stream).lower()}"),
        "splits=0.998,0.001,0.001",
        *("--likelihood", "gaussian", "--latent-dim", "2", "--batch-size", str(batch)),
        *("--steps", str(steps), "--eval-every", str(10 * steps), "--eval-samples", "0", *options),
    ]

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    spent: dict[float, float] = {}  # seconds of the processor by samples
    with open(out / "said.txt", "wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=limited)
        begun = time.monotonic()
        while True:
            ended, status, used = os.wait4(child.pid, os.WNOHANG)
            if ended:
                seconds = time.monotonic() - begun
                break
            rows = records(out / "run" / "metrics.csv")
            if rows:
                spent.setdefault(rows[-1]["samples"], processor(child.pid))
            time.sleep(0.2)
    if status:
        raise SystemExit(f"{command} ended with {status}: {(out / 'said.txt').read_text()}")
    rows = records(out / "run" / "metrics.csv")
    speed = (rows[-1]["samples"] - rows[0]["samples"]) / (rows[-1]["seconds"] - rows[0]["seconds"])
    taken = list(spent.items())
    (first, before), (last, after) = taken[0], taken[-2]
    by_cpu = (last - first) / (after - before)
    return Run(speed, by_cpu, 1024 * used.ru_maxrss, seconds - rows[-1]["seconds"])


def records(path: Path) -> list[dict[str, float]]:
    """The samples that were seen and the seconds since the first, as far as they are written."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["seconds"]]
    return [{name: float(row[name]) for name in ("samples", "seconds")} for row in lines]


def processor(process: int) -> float:
    """The seconds that a process has had of the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Write the files, train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20, help="of the file (default: 20)")
    parser.add_argument(
        "--held", type=float, default=0.8, help="of the file that is held in memory"
    )
    parser.add_argument(
        "--limit", type=float, default=4, help="ulimit -v in gigabytes (default: 4)"
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--turns", type=int, default=2, help="of each training (default: 2)")
    parser.add_argument("--network", nargs="+", choices=[*NETWORKS], help="default: all")
    parser.add_argument("--file", type=Path, help="a large file that is there already, and stays")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        large, small = given.file or folder / "large.npy", folder / "small.npy"
        if given.file is None:
            write(large, given.gigabytes * GIGABYTE)
        write(small, given.held * GIGABYTE)
        for network in given.network or NETWORKS:
            found: dict[str, list[Run]] = {"held": [], "streamed": []}
            for _ in range(given.turns):
                found["held"].append(train(small, folder, network, None, stream=False))
                limit = int(given.limit * GIGABYTE)
                found["streamed"].append(train(large, folder, network, limit, stream=True))
                print(network, {k: asdict(v[-1]) for k, v in found.items()}, flush=True)
            held, away = found["held"], found["streamed"]
            speeds = [max(run.rows for run in runs) for runs in (held, away)]
            costs = [max(run.rows_cpu for run in runs) for runs in (held, away)]
            rows.append(
                [
                    network,
                    *(f"{speed:,.0f}" for speed in (*speeds, *costs)),
                    f"{max(run.resident for run in away) / GIGABYTE:.2f} GB",
                ]
            )
    heads = [
        *("network", "rows a second, held", "from the file"),
        *("rows a second of processor, held", "from the file", "most memory, from the file"),
    ]
    print(markdown(heads, rows))


if __name__ == "__main__":
    main()
