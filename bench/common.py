"""What the benchmark scripts share: options, sections of the report, where results go."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pyvae.benchmarking import compile_problem, machine_facts
from pyvae.cli.memory import keep_big_buffers

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        seconds: per race, without compiling
        leave_out: variant -> why it is not run
        malloc_raised: glibc keeps big freed buffers, for all sides alike
    """

    seconds: float = 3.0
    threads: int = 2
    leave_out: dict[str, str] = field(default_factory=dict)
    malloc_raised: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the report: what is printed, and what the JSON holds."""

    name: str
    title: str
    text: str
    data: Any

    def __str__(self) -> str:
        return f"## {self.title}\n\n{self.text}\n"


def parser(description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--seconds", type=float, default=3.0, help="per race (default: 3)")
    made.add_argument("--threads", type=int, default=2, help="default: 2")
    made.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    made.add_argument("--mallopt", action="store_true", help="raise glibc's malloc thresholds")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    made.add_argument("--name", default="cpu", help="name of the result files (default: cpu)")
    return made


def options(arguments: argparse.Namespace) -> Options:
    """Set the process up as asked."""
    torch.set_num_threads(arguments.threads)
    if arguments.mallopt:
        keep_big_buffers()
    problem = "left out" if arguments.no_compile else compile_problem()
    leave_out = {} if problem is None else {"compile": problem}
    return Options(arguments.seconds, arguments.threads, leave_out, arguments.mallopt)


def report(arguments: argparse.Namespace, how: Options, sections: list[Section]) -> Path:
    """Write the sections and the machine they were measured on as JSON."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    path: Path = arguments.out / f"{arguments.name}.json"
    content = {
        "machine": machine_facts(malloc_raised=how.malloc_raised),
        "left_out": how.leave_out,
        "sections": {section.name: section.data for section in sections},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def verdict(passed: bool) -> str:
    return "pass" if passed else "FAIL"
