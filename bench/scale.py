"""Training on many devices, on paper: bytes of a step, and what communication leaves of them.

    python bench/scale.py                       # the tables of docs/scale.md
    python bench/scale.py --step-time 12 --fixed 1 --bandwidth 25 --latency 8 --megabytes 160
    python bench/scale.py --measure             # measures first, by one and two processes

The second form is for a model and a network of your own: milliseconds of a step on one device, how
many of them do not depend on the rows, GB/s and microseconds of the network, MB of the gradients.
``--measure`` takes some minutes and writes ``bench/results/scale.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from common import RESULTS, Section
from scale_costs import ALGORITHMS, Link, Simulation, Step, Volume, buckets, ring, volume
from torch import Tensor, nn

from pyvae import VAE
from pyvae.benchmarking import markdown
from pyvae.models import AutoregressiveModel

DEVICES = (1, 2, 8, 64, 1024)
MLP, CONV = "784-500-20", "conv, 3 x 64 x 64"


def _mlp(hidden: list[int], latents: int) -> Callable[[], nn.Module]:
    options = {"hidden": hidden}
    return lambda: VAE((1, 28, 28), latents, encoder_args=options, decoder_args=options)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    MLP: (_mlp([500], 20), (100, 1, 28, 28)),
    "784-4096-4096-64": (_mlp([4096, 4096], 64), (100, 1, 28, 28)),
    CONV: (lambda: VAE((3, 64, 64), 64, "conv", "conv", likelihood="gaussian"), (100, 3, 64, 64)),
    "pixelcnn_pp, 3 x 32 x 32": (
        lambda: AutoregressiveModel(
            (3, 32, 32), "pixelcnn_pp", likelihood="discretized_logistic_mixture"
        ),
        (16, 3, 32, 32),
    ),
}
ETHERNET, INFINIBAND = Link(1.25e9, 50e-6), Link(50e9, 5e-6)  # 10 and 400 Gbit/s
ASSUMED = Step(rows=9e-3, fixed=1e-3)  # of the convolutions on a GPU


def made(name: str) -> tuple[nn.Module, Tensor]:
    """A model, and the rows of a device as they are stored."""
    build, shape = MODELS[name]
    return build(), torch.zeros(shape, dtype=torch.uint8)


def messages(name: str) -> list[int]:
    return buckets([p.nbytes for p in made(name)[0].parameters()])


def volumes() -> Section:
    rows = []
    for name, (_, shape) in MODELS.items():
        found = volume(*made(name), torch.optim.Adam)
        cells = [found.data, found.parameters, found.gradients, found.state]
        moved = [found.moved(n) for n in (2, 8, 1024)]
        rows.append([f"{name}, {shape[0]} rows", *(_megabytes(each) for each in [*cells, *moved])])
    head = ["MB per step and device", "data", "parameters", "gradients", "Adam"]
    head += [f"moved, {n} devices" for n in (2, 8, 1024)]
    return Section("volumes", "Bytes of a step", markdown(head, rows), None)


def measured_step(measured: dict[str, Any]) -> Step:
    """Of 784-500-20 with 100 rows, from the times of one process with 50 and with 100."""
    half, whole = (_seconds(measured, 1, rows) for rows in (50, 100))
    fixed = max(0.0, 2 * half - whole)
    return Step(rows=whole - fixed, fixed=fixed)


def measured_link(measured: dict[str, Any]) -> Link:
    """Of two processes: half the time of the least message, and the rate of the largest."""
    times = {each["bytes"]: each["seconds"] for each in measured["messages"]}
    least, largest = min(times), max(times)
    return Link(bandwidth=largest / (times[largest] - times[least]), latency=times[least] / 2)


def two_processes(measured: dict[str, Any]) -> Section:
    """Steps per second of one and of two, beside what the simulation says of two."""
    step, link = measured_step(measured), measured_link(measured)
    rows = []
    for each in measured["training"]:
        n, batch, seconds = each["processes"], each["rows"], each["seconds"]
        said = "-"
        if n > 1:
            pair = [
                Simulation(step, messages(MLP), link, ring, overlap).seconds(n, batch / n / 100)
                for overlap in (False, True)
            ]
            said = " to ".join(f"{1 / s:.0f}" for s in pair)
        cells = [f"{1 / seconds:.0f}", f"{batch / seconds:,.0f}", said]
        rows.append([f"{n}, {batch} rows together", *cells])
    head = ["processes", "steps per second", "rows per second", "simulated steps per second"]
    text = (
        f"{markdown(head, rows)}\n\n"
        f"step of 100 rows: {1e3 * step.rows:.2f} ms in proportion to the rows, "
        f"{1e3 * step.fixed:.2f} ms fixed\n"
        f"all-reduce: {link.bandwidth / 1e9:.2f} GB/s, {1e6 * link.latency:.0f} us"
    )
    return Section("two_processes", "Two processes, measured", text, None)


def bound(cases: Sequence[tuple[str, Step, Sequence[int]]]) -> Section:
    """What it takes for the backward to hide a ring's all-reduce."""
    rows = []
    for name, step, sizes in cases:
        backward, total = step.rows * step.backward, sum(sizes)
        needed = [Volume(0, 0, total, 0).moved(n) / backward / 1e9 for n in (8, 1024)]
        least = [
            sum(ring(n, size, link) for size in sizes) / backward
            for link in (ETHERNET, INFINIBAND)
            for n in (8, 1024)
        ]
        cells = [*(f"{each:.2f} GB/s" for each in needed), *(f"{each:.2f}" for each in least)]
        rows.append([name, *cells])
    head = ["model", "8 devices need", "1024 need"]
    head += [f"{link}, {n}" for link in ("10 Gbit/s", "400 Gbit/s") for n in (8, 1024)]
    return Section("bound", "Where communication is bound", markdown(head, rows), None)


def scaling(
    title: str, step: Step, sizes: Sequence[int], link: Link, devices: Sequence[int]
) -> Section:
    """Efficiency of weak and speed-up of strong scaling."""
    ways = {
        f"{name}{', overlap' if overlap else ''}": Simulation(step, sizes, link, each, overlap)
        for name, each in ALGORITHMS.items()
        for overlap in (False, True)
    }
    weak = [[str(n), *(f"{100 * w.weak(n):.1f} %" for w in ways.values())] for n in devices]
    limits = [
        f"{100 * w.weak_limit():.1f} %" if w.algorithm is ring else "0" for w in ways.values()
    ]
    strong = [[str(n), *(f"{w.strong(n):.2f}" for w in ways.values())] for n in devices]
    tables = [
        markdown(["weak: efficiency", *ways], [*weak, ["many, no latency", *limits]]),
        markdown(["strong: speed-up", *ways], strong),
    ]
    return Section("scaling", title, "\n\n".join(tables), None)


def sections(measured: dict[str, Any], devices: Sequence[int] = DEVICES) -> list[Section]:
    """The tables of docs/scale.md."""
    step, small, large = measured_step(measured), messages(MLP), messages(CONV)
    return [
        volumes(),
        two_processes(measured),
        bound([(f"{MLP}, measured", step, small), (f"{CONV}, 10 ms assumed", ASSUMED, large)]),
        scaling(f"{MLP}, step as measured, 10 Gbit/s", step, small, ETHERNET, devices),
        scaling(f"{CONV}, 10 ms, 10 Gbit/s", ASSUMED, large, ETHERNET, devices),
        scaling(f"{CONV}, 10 ms, 400 Gbit/s", ASSUMED, large, INFINIBAND, devices),
    ]


def own(arguments: argparse.Namespace) -> Section:
    """The scaling of what was given on the command line."""
    size, limit = round(1e6 * arguments.megabytes), 25 * 2**20
    sizes = buckets([limit] * (size // limit) + [size % limit])
    step = Step(1e-3 * (arguments.step_time - arguments.fixed), 1e-3 * arguments.fixed)
    link = Link(1e9 * arguments.bandwidth, 1e-6 * arguments.latency)
    return scaling("Your own", step, sizes, link, arguments.devices)


def _seconds(measured: dict[str, Any], processes: int, rows: int) -> float:
    runs = {(each["processes"], each["rows"]): each["seconds"] for each in measured["training"]}
    return float(runs[processes, rows])


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.2f}"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--step-time", type=float, help="milliseconds of a step on one device")
    parser.add_argument("--fixed", type=float, default=0.0, help="those that rows do not change")
    parser.add_argument("--bandwidth", type=float, default=50.0, help="GB/s (default: 50)")
    parser.add_argument("--latency", type=float, default=5.0, help="microseconds (default: 5)")
    parser.add_argument("--megabytes", type=float, default=34.0, help="of gradients (default: 34)")
    parser.add_argument("--devices", type=int, nargs="+", default=list(DEVICES))
    parser.add_argument("--measure", action="store_true", help="by one and two processes, first")
    parser.add_argument("--dataset", default="mnist", help="to measure with (default: mnist)")
    arguments = parser.parse_args(words)
    _check(parser, arguments)
    path = RESULTS / "scale.json"
    if arguments.measure:
        from scale_measured import measure

        path.write_text(json.dumps(measure(arguments.dataset), indent=1) + "\n")
    if arguments.step_time is not None:
        print(own(arguments))
        return
    for section in sections(json.loads(path.read_text()), arguments.devices):
        print(section)


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Numbers that make no sense end the program with a sentence."""
    for name in ("step_time", "bandwidth", "megabytes"):
        given = getattr(arguments, name)
        if given is not None and not given > 0:
            parser.error(f"--{name.replace('_', '-')} must be greater than 0, got {given:g}")
    if min(arguments.devices) < 1:
        parser.error(f"--devices must be at least 1, got {min(arguments.devices)}")
    if not arguments.latency >= 0:
        parser.error(f"--latency must be at least 0, got {arguments.latency:g}")
    most = float("inf") if arguments.step_time is None else arguments.step_time
    if not 0 <= arguments.fixed < most:
        parser.error(f"--fixed must lie within the step, got {arguments.fixed:g}")


if __name__ == "__main__":
    main()
