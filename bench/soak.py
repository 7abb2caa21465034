"""A million steps of the training loop: whether memory and the time of a step stay what they are.

    python bench/soak.py                 # half an hour; writes results/soak.json and a figure
    python bench/soak.py --steps 20000   # a try

The model is so small that nearly all of a step is the loop: schedule, clipping, average of the
weights, the guard, records, checkpoints, best models. Times are those of the processor, which other
programs on the machine change little.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from common import RESULTS

from pyvae.config import TrainConfig
from pyvae.training import RunFolder, StopRequest, Trainer, build

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "soak.png"
PIECES = 100  # of the run, each of which is a point of the curves


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Gauge:
    """A log that looks at the process when a row arrives."""

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self._step, self._used = 0, time.process_time()

    def write(self, row: Mapping[str, float]) -> None:
        """The rate since the row before, and the memory."""
        if "train/loss" not in row:
            return
        step, used = int(row["step"]), time.process_time()
        rate = (step - self._step) / (used - self._used)
        self._step, self._used = step, used
        self.points.append({"step": step, "steps_per_s": rate, "bytes": resident()})
        print(f"{step:>8,}  {rate:7.0f} steps/s  {resident() / 2**20:6.1f} MB", flush=True)

    def close(self) -> None:
        """Nothing is pending."""


def soak(steps: int, folder: Path) -> list[dict[str, float]]:
    """Train, and what was seen on the way."""
    every = max(1, steps // PIECES)
    small = {"hidden": [8]}
    config = TrainConfig(
        steps=steps, latent_dim=2, encoder_args=small, decoder_args=small, batch_size=16,
        log_every=every, eval_every=every, eval_samples=0, eval_subset=100, keep=2, ema=0.999,
        clip_grad_norm=10.0, max_skipped=5, lr_schedule="cosine", lr=1e-4, device="cpu",
    )  # fmt: skip
    parts, run, gauge = build(config), RunFolder(folder), Gauge()
    trainer = Trainer(config, parts, run, quiet=True, logs=[gauge])
    run.create(config, parts.model, {})
    trainer.fit(StopRequest())
    run.release()
    return gauge.points


def slope(points: list[dict[str, float]], name: str) -> float:
    """How much a figure changes over the run by its line of least squares, without the start."""
    points = points[len(points) // 10 :]
    x = torch.tensor([p["step"] for p in points], dtype=torch.float64)
    y = torch.tensor([p[name] for p in points], dtype=torch.float64)
    x = x - x.mean()
    return float((x @ y) / (x @ x) * (points[-1]["step"] - points[0]["step"]))


def draw(points: list[dict[str, float]], path: Path) -> None:
    """Memory and rate over the steps, each from zero."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 4))
    x = [p["step"] / 1000 for p in points]
    axes[0].plot(x, [p["bytes"] / 2**20 for p in points], color="#d1495b")
    axes[0].set_ylabel("memory, MB")
    axes[1].plot(x, [p["steps_per_s"] for p in points], color="#5b8fb9")
    axes[1].set_ylabel("steps per second\nof the processor")
    axes[1].set_xlabel("thousand steps")
    for one in axes:
        one.set_ylim(bottom=0)
        one.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        points = soak(arguments.steps, Path(name) / "run")
    drift: dict[str, Any] = {name: slope(points, name) for name in ("bytes", "steps_per_s")}
    rate = sum(p["steps_per_s"] for p in points) / len(points)
    print(
        f"over the run, without its first tenth: memory {drift['bytes'] / 2**20:+.2f} MB of "
        f"{points[-1]['bytes'] / 2**20:.0f}, rate {100 * drift['steps_per_s'] / rate:+.1f} %"
    )
    content = {"steps": arguments.steps, "drift": drift, "points": points}
    arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    draw(points, arguments.image)


if __name__ == "__main__":
    main()
