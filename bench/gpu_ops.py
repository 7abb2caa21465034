"""Every op on a device against eager and compiled PyTorch, at sizes that no cache holds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import torch
from common import Options, Section

from pyvae.benchmarking import Result, Work, WrongResultError, op_table, run_contest
from pyvae.testing import CASES, OpCase

#: Some 200 MB for each operand of batch x event or batch x latent, in float32.
SIZES = {
    "samples": 8,
    "batch": 65536,
    "event": 784,
    "latent": 128,
    "classes": 16,
    "components": 1024,
}
#: Where the work grows with the square of the sizes, or a size stands for a plane of numbers.
PAIRED = {"components": 2048, "batch": 2048, "latent": 64}
IMAGES = {"batch": 1024, "event": 1024}
CLASSES = {"batch": 4096, "event": 784, "classes": 16}


def sizes_of(case: OpCase, scale: int = 1) -> tuple[int, ...]:
    """The sizes that an op is timed at; batch and components divided by ``scale``."""
    size = dict(SIZES)
    if case.paired:
        size |= PAIRED
    elif case.images:
        size |= IMAGES
    elif "classes" in case.sizes:
        size |= CLASSES
    elif "event" not in case.sizes and "samples" not in case.sizes:
        size["batch"] *= 8
    for name in ("batch", "components"):
        size[name] = max(2, size[name] // scale)
    return tuple(size[name] for name in case.sizes)


def works(
    device: str, scale: int = 1, ops: Iterable[str] = (), dtypes: Iterable[str] = ("float32",)
) -> list[Work]:
    """What is raced: each op (or those named), in each dtype."""
    chosen = [CASES[name] for name in ops] or list(CASES.values())
    return [
        Work(case.name, sizes_of(case, scale), dtype=getattr(torch, dtype), device=device)
        for case in chosen
        for dtype in dtypes
    ]


def contest(work: Work, how: Options) -> Result:
    """Raced without what plain code computes too coarsely to be compared, as some of 16 bits."""
    leave_out = dict(how.leave_out)
    while True:
        try:
            return run_contest(work, seconds=how.seconds, leave_out=leave_out)
        except WrongResultError as error:
            if error.variant not in ("eager", "compile"):
                raise
            leave_out[error.variant] = str(error)


def run(how: Options, todo: list[Work]) -> Section:
    results, data, problems = [], [], []
    for work in todo:
        print(f"{work.name} ...", file=sys.stderr, flush=True)
        entry: dict[str, Any]
        try:
            result = contest(work, how)
            results.append(result)
            entry = result.to_dict()
            entry["of_copy"] = result.times["copy"].median / result.times["pyvae"].median
        except (WrongResultError, RuntimeError, ValueError) as error:  # the other ops go on
            entry = {"work": work.name, "failed": f"{type(error).__name__}: {error}"[:2000]}
            problems.append(f"FAILED {work.name}: {str(error)[:300]}")
        data.append(entry)
        if work.device.startswith("cuda"):
            torch.cuda.empty_cache()
    text = op_table(results) if results else "no op was timed"
    text += (
        "\n\nEach result was checked against the float64 reference first. Medians of the device's "
        "own events, shuffled call by call, caches flushed; GB/s of the bytes that must move, "
        "beside a copy of as many; extra memory: peak beyond results and gradients."
    )
    return Section("ops", "Ops, forward and backward", "\n".join([*problems, text]), data)
