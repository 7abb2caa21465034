"""Three training steps with and without CUDA graphs: what the loss adds to the networks alone.

python -m lease.steps [--device cuda] [--scale N] [--seconds S] [--warm]
"""

from __future__ import annotations

import argparse
import sys

import gpu_steps
import torch
from common import Options
from losses import LOSSES
from train_step import Steps

from lease.entries import already, tell
from pyvae.benchmarking import compile_problem


def warm(device: str, scale: int) -> int:
    """Compile what the steps compile."""
    for setting in gpu_steps.SETTINGS:
        torch._dynamo.reset()
        small = gpu_steps.smaller(setting, scale)
        Steps(small, device).check("compile", LOSSES["compile"](bool(small.samples)))
        tell(small.name)
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--device", default="cuda")
    made.add_argument("--scale", type=int, default=1, help="divide the batches, for a try")
    made.add_argument("--seconds", type=float, default=0.3, help="per variant")
    made.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    made.add_argument("--warm", action="store_true", help="compile alone")
    return made


def main(argv: list[str] | None = None) -> int:
    a = parser().parse_args(argv)
    if a.warm:
        return warm(a.device, a.scale)
    problem = "left out" if a.no_compile else compile_problem(a.device)
    how = Options(a.seconds, leave_out={} if problem is None else {"compile": problem})
    known, good = already(), True
    for setting, graphs in gpu_steps.todo(a.device, a.scale):
        name = gpu_steps.name_of(setting, graphs)
        if name in known:
            continue
        try:
            tell(name, **gpu_steps.measure(setting, how, a.device, graphs))
        except (RuntimeError, AssertionError) as error:  # the other settings go on
            tell(name, failed=f"{type(error).__name__}: {error}"[:700])
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
