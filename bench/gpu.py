"""The whole check-list for a machine with a GPU, in one command.

    python bench/gpu.py [--parts build tests sanitize ops steps] [--seconds S] [--name NAME]

Builds and installs the package with its CUDA kernels, runs the tests, runs the ops under
compute-sanitizer where there is one, then measures: each op against eager and compiled PyTorch, and
whole training steps. Prints one report and writes ``bench/results/gpu.json``. Every part runs even
if one before it failed; the exit status is 1 if any did. ``--device cpu --scale 1000`` tries the
measuring parts anywhere.

It takes the better part of an hour; where one has the machine for minutes, take ``bench/lease``.
The build takes what the ``test`` extra brings and no network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lease.stages import TOOLS, sanitizer, small

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("build", "tests", "sanitize", "ops", "steps")
Steps = list[dict[str, Any]]


def shell(name: str, command: list[str], **environment: str) -> dict[str, Any]:
    """Run a step whose output goes to the terminal; what came of it, fit for JSON.

    A module that it runs is the installed one, although it starts in the folder of the sources.
    """
    print(f"+ {' '.join(command)}", file=sys.stderr, flush=True)
    begun = time.monotonic()
    environment = {**os.environ, "PYTHONSAFEPATH": "1", **environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return {
        "step": name,
        "command": command,
        "status": done.returncode,
        "seconds": round(time.monotonic() - begun, 1),
    }


def module(step: str, *words: str, **environment: str) -> dict[str, Any]:
    """A step that is a module of this Python."""
    return shell(step, [sys.executable, "-m", *words], **environment)


def build(a: argparse.Namespace) -> Steps:
    """Installs the package as users do, and asks it what it has."""
    pip = ("pip", "install", "--no-deps", "--no-build-isolation", "--force-reinstall", "-v", ".")
    archs = a.archs or device_arch()
    flags = [*os.environ.get("CMAKE_ARGS", "").split(), "-DPYVAE_CUDA=ON"]
    flags += [f"-DPYVAE_CUDA_ARCHS={archs}"] if archs else []
    return [module("build", *pip, CMAKE_ARGS=" ".join(flags)), module("info", "pyvae", "info")]


def device_arch() -> str | None:
    """The architecture of the first GPU: kernels for one are built sooner than for all."""
    import torch

    if not torch.cuda.is_available():
        return None
    return "{}{}".format(*torch.cuda.get_device_capability(0))


def tests(a: argparse.Namespace) -> Steps:
    """The CUDA tests, then the whole suite: ops on the CPU as well."""
    return [
        module("CUDA tests", "pytest", "-q", "tests/cuda/test_device.py"),
        module("machine code", "pytest", "-q", "-m", "slow", "tests/cuda/test_nvcc.py"),
        module("whole suite", "pytest", "-q"),
    ]


def sanitize(a: argparse.Namespace) -> Steps:
    """The ops under compute-sanitizer's tools."""
    fresh = {"PYTHONPATH": str(ROOT / "bench"), "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    steps = []
    for tool in TOOLS:
        command = sanitizer(tool, small(a.device))
        if command is None:
            return [{"step": "compute-sanitizer", "status": None, "skipped": "not found"}]
        steps.append(shell(tool, command, **fresh))
    return steps


def device_facts(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    if not device.startswith("cuda"):
        return {"device": device}
    properties = torch.cuda.get_device_properties(device)
    facts: dict[str, Any] = {
        "device": properties.name,
        "compute capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory": properties.total_memory,
        "cache": properties.L2_cache_size,
        "torch's CUDA": torch.version.cuda,
    }
    smi = shutil.which("nvidia-smi")
    if smi:
        fields = "driver_version,clocks.sm,clocks.mem,power.limit"
        query = [smi, f"--query-gpu={fields}", "--format=csv,noheader"]
        said = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
        facts[fields] = said.splitlines()[0] if said else None
    return facts


def parser() -> argparse.ArgumentParser:
    # Not common.parser: common needs an installed package, which the first part makes.
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    made.add_argument("--device", default="cuda", help="default: cuda")
    made.add_argument("--archs", help="what is built for, as 80,90 (default: the first GPU's)")
    made.add_argument("--seconds", type=float, default=2.0, help="per race (default: 2)")
    made.add_argument("--scale", type=int, default=1, help="divide the batches, for a try")
    made.add_argument("--ops", nargs="+", default=[], metavar="OP", help="default: all")
    made.add_argument(
        "--dtypes", nargs="+", default=["float32", "bfloat16"], help="default: float32 bfloat16"
    )
    made.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    made.add_argument("--out", type=Path, default=ROOT / "bench/results")
    made.add_argument("--name", default="gpu", help="name of the result file (default: gpu)")
    return made


def steps_table(done: list[dict[str, Any]]) -> str:
    """One line for each step that is a command."""
    lines = []
    for step in done:
        status = step.get("skipped") or ("pass" if step["status"] == 0 else "FAIL")
        lines.append(f"{step['step']}: {status}" + f" ({step.get('seconds', 0)} s)")
    return "\n".join(lines)


def measured(arguments: argparse.Namespace, done: list[dict[str, Any]]) -> bool:
    """Run the measuring parts and write the report; whether all of them passed."""
    import gpu_ops
    import gpu_steps
    from common import Options, Section, report

    from pyvae.benchmarking import compile_problem

    problem = "left out" if arguments.no_compile else compile_problem(arguments.device)
    how = Options(arguments.seconds, leave_out={} if problem is None else {"compile": problem})
    facts = device_facts(arguments.device)
    sections = [
        Section("device", "Device", "\n".join(f"{k}: {v}" for k, v in facts.items()), facts)
    ]
    if done:
        sections.append(Section("checks", "Checks", steps_table(done), done))
    if "ops" in arguments.parts:
        todo = gpu_ops.works(arguments.device, arguments.scale, arguments.ops, arguments.dtypes)
        sections.append(gpu_ops.run(how, todo))
    if "steps" in arguments.parts:
        sections.append(gpu_steps.run(how, arguments.device, arguments.scale))
    print("\n".join(str(section) for section in sections))
    print("written:", report(arguments, how, sections))
    entries = [e for s in sections if s.name in ("ops", "steps") for e in s.data]
    return not any("failed" in entry for entry in entries)


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    done: list[dict[str, Any]] = []
    for name, part in (("build", build), ("tests", tests), ("sanitize", sanitize)):
        if name in arguments.parts:
            done += part(arguments)
    good = all(step["status"] in (0, None) for step in done)
    return 0 if measured(arguments, done) and good else 1


if __name__ == "__main__":
    sys.exit(main())
