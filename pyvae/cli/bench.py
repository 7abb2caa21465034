"""``pyvae bench``."""

from __future__ import annotations

import argparse
import json
import sys
import time

from pyvae.cli.run_arguments import positive
from pyvae.errors import UserError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--ops", nargs="+", metavar="NAME", help="only these ops")
    parser.add_argument(
        "--scale", type=positive, default=1, metavar="N", help="divide the batch sizes by N"
    )
    parser.add_argument(
        "--seconds", type=float, default=1.5, metavar="S", help="per op, without compiling"
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="default: torch's choice")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Race the ops against eager and compiled PyTorch on this machine."""
    import dataclasses

    import torch

    from pyvae import benchmarking as b
    from pyvae.testing import CASES

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    known = sorted({work.op for work in b.SHORT})
    for name in arguments.ops or ():
        if name not in known:
            raise UserError(f"unknown op {name!r}. Choices: {', '.join(known)}")
    leave_out = {}
    problem = "left out (--no-compile)" if arguments.no_compile else b.compile_problem()
    if problem is not None:
        leave_out["compile"] = problem
    begun, results = time.monotonic(), []
    for work in b.SHORT:
        if arguments.ops and work.op not in arguments.ops:
            continue
        sizes = list(work.sizes)
        batch = CASES[work.op].sizes.index("batch")
        sizes[batch] = max(1, sizes[batch] // arguments.scale)
        work = dataclasses.replace(work, sizes=tuple(sizes))
        print(f"{work.name} ...", file=sys.stderr, flush=True)
        results.append(b.run_contest(work, seconds=arguments.seconds, leave_out=leave_out))
    facts = b.machine_facts()
    if arguments.json:
        content = {"machine": facts, "ops": [result.to_dict() for result in results]}
        print(json.dumps(content, indent=2))
        return 0
    for name in ("cpu", "instruction set", "threads", "torch", "pyvae", "malloc", "load average"):
        print(f"{name}: {facts[name]}")
    if problem is not None:
        print(f"compile: {problem}")
    print()
    print(b.op_table(results))
    print(
        "\nEach result was checked against the float64 reference first. Medians, shuffled call by "
        f"call; noise: pyvae against itself. {time.monotonic() - begun:.0f} s."
    )
    return 0
