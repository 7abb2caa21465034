"""Loss tax of whole training steps on a device, with and without CUDA graphs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from common import Options, Section
from losses import LOSSES
from torch import nn
from train_step import Setting, Steps

from pyvae.benchmarking import Variant, markdown, memory_of, race
from pyvae.benchmarking.tables import si_bytes, si_seconds
from pyvae.training.optimization.graphs import record

SETTINGS = (
    Setting("MLP 784-500-20, B = 1024", (500,), 20, nn.ReLU, 1024, 0, {}),
    Setting("conv 3 x 64 x 64, B = 256", (256,), 64, nn.ReLU, 256, 0, {}, side=64),
    Setting("IWAE k = 50, B = 100", (200, 200), 50, nn.Tanh, 100, 50, {}),
)
NAMES = ("eager", "compile", "pyvae", "pyvae in place")
Step = Callable[[object], None]


def smaller(setting: Setting, scale: int) -> Setting:
    """The same with a batch divided by ``scale``, for a try."""
    return replace(setting, batch=max(2, setting.batch // scale))


def graphed(step: Step) -> Step:
    """The step as one CUDA graph: what it launches is recorded once and replayed."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(None)
    torch.cuda.current_stream().wait_stream(side)
    replay, _ = record(lambda: step(None), side)
    return lambda _: replay()


def timer(device: str) -> Callable[[Variant, int], float]:
    """By the clock, for a step that the host holds up is slow; the device is waited for."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def timed(variant: Variant, calls: int) -> float:
        wait()
        begun = time.perf_counter()
        for _ in range(calls):
            variant.run(None)
        wait()
        return (time.perf_counter() - begun) / calls

    return timed


def measure(setting: Setting, how: Options, device: str, graphs: bool) -> dict[str, Any]:
    torch._dynamo.reset()
    steps = Steps(setting, device)
    skipped = dict(how.leave_out)
    taken: dict[str, Step] = {"networks": steps.networks}
    for name in NAMES:
        if name in skipped:
            continue
        loss = LOSSES[name](bool(setting.samples))
        steps.check(name, loss)
        taken[name] = steps.step(loss)
    steps.networks()  # the gradients are there from now on
    memory = {name: memory_of(step, None, device) for name, step in taken.items()}
    variants: dict[str, Variant] = {}
    for name, step in taken.items():
        try:
            variants[name] = Variant(graphed(step) if graphs else step)
        except RuntimeError as error:
            if name == "networks":
                raise
            skipped[name] = f"no graph: {error}"[:500]
    variants["networks again"] = variants["networks"]
    times = race(
        variants,
        seconds=how.seconds * len(variants),
        calls=(10 if graphs else 5) if how.seconds else 1,  # none: a try
        timer=timer(device),
    )
    base = times["networks"].median
    return {
        "setting": name_of(setting, graphs),
        "times_us": {name: t.summary() for name, t in times.items()},
        "tax": {n: t.median / base - 1 for n, t in times.items() if not n.startswith("networks")},
        "noise_floor": times["networks again"].median / base - 1,
        "images_per_s": {name: setting.batch / t.median for name, t in times.items()},
        "peak_bytes": {name: m.kept + m.extra for name, m in memory.items()},
        "skipped": skipped,
    }


def table(data: list[dict[str, Any]]) -> str:
    rows = []
    for result in data:
        if "failed" in result:
            rows.append([result["setting"], "failed", "-", *("-" for _ in NAMES), "-"])
            continue
        alone = result["times_us"]["networks"]["median"] / 1e6
        cells = [result["setting"], si_seconds(alone), f"{100 * result['noise_floor']:+.1f} %"]
        taxes = [result["tax"].get(name) for name in NAMES]
        cells += ["-" if tax is None else f"{100 * tax:.1f} %" for tax in taxes]
        peaks = [result["peak_bytes"].get(name) for name in ("networks", *NAMES)]
        cells.append(" / ".join("-" if p is None else si_bytes(p) for p in peaks))
        rows.append(cells)
    head = ["loss tax of a training step", "networks, us", "networks again", *NAMES]
    return markdown([*head, "peak: networks / e / c / p / in place"], rows)


def todo(device: str, scale: int = 1) -> Iterator[tuple[Setting, bool]]:
    """The settings, each without and with CUDA graphs where there are any."""
    for setting in SETTINGS:
        for graphs in (False, True) if device.startswith("cuda") else (False,):
            yield smaller(setting, scale), graphs


def name_of(setting: Setting, graphs: bool) -> str:
    return setting.name + ", CUDA graph" * graphs


def run(how: Options, device: str, scale: int = 1) -> Section:
    data = []
    for setting, graphs in todo(device, scale):
        name = name_of(setting, graphs)
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            data.append(measure(setting, how, device, graphs))
        except (RuntimeError, AssertionError) as error:  # the other settings go on
            print(f"failed: {error}", file=sys.stderr)
            data.append({"setting": name, "failed": str(error)[:2000]})
    return Section("steps", "Training steps", table(data), data)
