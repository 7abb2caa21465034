"""Images per second of ``pyvae train`` against a hand-written eager loop, in alternated runs.

    python bench/whole_program.py [--steps N] [--runs N]

784-500-20 on MNIST, batch 100, fused Adam, fresh binarization at each minibatch on both sides;
pyvae with its log files and its progress bar on a terminal. Each run is a process of its own; the
rate is taken from its log, between step 100 and the last, so that start-up and evaluation do not
count.
"""

from __future__ import annotations

import csv
import os
import pty
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from common import Options, Section, options, parser, report, verdict

from pyvae.benchmarking import markdown
from pyvae.data.files import find

TARGET = 1.15
HAND_WRITTEN = Path(__file__).parent / "hand_written.py"


def rate(log: Path) -> tuple[float, float]:
    """Images per second between the first and the last record of a log, and the last loss."""
    with log.open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("train/loss") or row.get("loss")]
    first, last = rows[0], rows[-1]
    steps = int(last["step"]) - int(first["step"])
    loss = float(last.get("train/loss") or last["loss"])
    return 100 * steps / (float(last["seconds"]) - float(first["seconds"])), loss


def on_terminal(command: list[str], threads: int) -> None:
    """Run a command whose standard error is a terminal, so that it draws its progress bar."""
    ours, theirs = pty.openpty()
    said = bytearray()

    def drain() -> None:
        try:
            while chunk := os.read(ours, 4096):
                said.extend(chunk)
        except OSError:  # the other end has closed
            pass

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    reader.join(timeout=5)
    os.close(ours)
    if done.returncode:
        raise RuntimeError(f"{command} failed: {said.decode(errors='replace')[-2000:]}")


def pyvae_run(folder: Path, steps: int, threads: int) -> tuple[float, float]:
    run = folder / "run"
    command = [sys.executable, "-m", "pyvae", "train", "--dataset", "mnist", "--out", str(run)]
    command += ["--overwrite", "--latent-dim", "20", "--batch-size", "100", "--steps", str(steps)]
    command += ["--encoder-args", "hidden=500", "--decoder-args", "hidden=500"]
    command += ["--optimizer", "adam", "--lr", "1e-3", "--log-every", "100", "--device", "cpu"]
    on_terminal([*command, "--eval-every", "1000000", "--eval-samples", "0"], threads)
    return rate(run / "metrics.csv")


def hand_written_run(folder: Path, steps: int, threads: int, mallopt: bool) -> tuple[float, float]:
    log = folder / "hand_written.csv"
    command = [sys.executable, str(HAND_WRITTEN), "--steps", str(steps), "--out", str(log)]
    on_terminal([*command, *(["--mallopt"] if mallopt else [])], threads)
    return rate(log)


def run(how: Options, steps: int = 1500, runs: int = 5) -> Section:
    title = "Whole program: pyvae train against a hand-written loop"
    images = "train-images-idx3-ubyte"
    if "PYVAE_DATA_DIR" not in os.environ or not find("mnist", [f"{images}.gz", images], None):
        reason = "skipped: set PYVAE_DATA_DIR to a folder that holds MNIST"
        return Section("program", title, reason, {"skipped": reason})
    rates: dict[str, list[float]] = {"hand-written": [], "pyvae train": []}
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for turn in range(runs):
            print(f"run {turn + 1} of {runs} ...", file=sys.stderr, flush=True)
            order = list(rates)
            random.Random(turn).shuffle(order)
            for side in order:
                if side == "pyvae train":
                    found = pyvae_run(folder, steps, how.threads)
                else:
                    found = hand_written_run(folder, steps, how.threads, how.malloc_raised)
                rates[side].append(found[0])
                losses[side] = found[1]
    middle = {side: statistics.median(found) for side, found in rates.items()}
    ratio = middle["pyvae train"] / middle["hand-written"]
    rows = [
        [side, f"{middle[side]:,.0f}", f"{min(r):,.0f} to {max(r):,.0f}", f"{losses[side]:.2f}"]
        for side, r in rates.items()
    ]
    text = markdown(["784-500-20, batch 100", "images/s", "range", "last loss"], rows)
    text += (
        f"\n\npyvae train / hand-written: {ratio:.2f}x (>= {TARGET}: {verdict(ratio >= TARGET)})"
    )
    text += f"; medians of {runs} alternated runs of {steps} steps."
    data = {"images_per_s": rates, "ratio": ratio, "target": TARGET, "steps": steps}
    return Section("program", title, text, data)


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--steps", type=int, default=1500)
    made.add_argument("--runs", type=int, default=5)
    made.set_defaults(name="whole_program", no_compile=True)
    arguments = made.parse_args()
    how = options(arguments)
    section = run(how, arguments.steps, arguments.runs)
    print(section)
    print("written:", report(arguments, how, [section]))


if __name__ == "__main__":
    main()
