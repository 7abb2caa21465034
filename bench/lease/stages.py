"""The stages of a session: what runs, side by side or alone, and for how long."""

from __future__ import annotations

import argparse
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from lease import profiles
from lease.entries import Entry
from lease.jobs import ROOT, Job, Stage
from lease.tools import find_tool

#: Seconds of each stage. What is left of the session's own limit may be less.
SECONDS = {
    "install": 60,  # a few seconds; more where the wheel does not load and the sources are built
    "compare": 35,
    "checks": 110,
    "races": 150,
    "steps": 80,
    "profiles": 65,
}
#: Processes of tests, and of whatever can be dealt out, on a machine with 16 cores.
TESTERS, SHARES = 8, 3
TOOLS = ("memcheck", "synccheck", "racecheck")
SANITIZER_SAYS = re.compile(r"^=+ +(?!COMPUTE-SANITIZER)")


def environment(a: argparse.Namespace) -> dict[str, str]:
    """Of every job: the installed package, never the sources; one cache of compiled code."""
    path = [str(a.out / "site"), str(ROOT / "bench")]
    return {
        "PYTHONPATH": ":".join(path),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(a.out / "cache" / "inductor"),
        "TRITON_CACHE_DIR": str(a.out / "cache" / "triton"),
    }


def sanitizer(tool: str, program: list[str]) -> list[str] | None:
    """A program under a tool of compute-sanitizer, which looks at pyvae's kernels alone."""
    found = find_tool("compute-sanitizer")
    if found is None:
        return None
    options = ["--error-exitcode", "9", "--target-processes", "all", "--report-api-errors", "no"]
    return [found, "--tool", tool, *options, "--kernel-name", "kns=pyvae", *program]


def small(device: str) -> list[str]:
    """Every op on a few numbers, which is what a tool has time for that slows kernels down."""
    dtypes = ["--dtypes", "float32", "bfloat16", "--layouts", "plain", "offset"]
    return [sys.executable, "-m", "lease.compare", "--device", device, "--small", *dtypes]


def test_outcome(line: str) -> Entry | None:
    """A test that failed, in the lines of pytest and of its workers."""
    found = re.match(r"(?:\[gw\d+\].* )?(?:FAILED|ERROR) (\S+::.+?)(?: - (.*))?$", line.strip())
    if found is None:
        return None
    return {"key": found[1].partition("::")[2], "failed": found[2] or "see the log"}


def stages(a: argparse.Namespace) -> list[Stage]:
    common = environment(a)
    measure = ["--device", a.device, "--scale", str(a.scale)]
    python = [sys.executable, "-m"]
    cuda = a.device.startswith("cuda")
    only = ["--ops", *a.ops] if a.ops else []
    compiling = ["--no-compile"] if a.no_compile else []

    def job(name: str, *command: str, **more: str) -> Job:
        return Job(name, [*python, *command], {**common, **more})

    def dealt(name: str, *command: str) -> list[Job]:
        count = SHARES if cuda else 1
        return [job(f"{name} {i}", *command, "--share", f"{i}/{count}") for i in range(count)]

    workers = ["-n", str(TESTERS)] if cuda and find_spec("xdist") else []
    pytest = ["pytest", "-v", "--tb=short", "-p", "no:cacheprovider", *workers]
    tests = [*python, *pytest, "tests/cuda/test_device.py"]
    checks = [Job("tests", tests, common, reads=test_outcome)]
    for tool in TOOLS:
        command = sanitizer(tool, small(a.device))
        missing = "" if command else "compute-sanitizer is not here"
        fresh = {**common, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
        checks.append(Job(tool, command, fresh, telling=SANITIZER_SAYS, skipped=missing))
    if not a.no_compile:
        checks += dealt("warm races", "lease.races", *measure, *only, "--warm")
        checks.append(job("warm steps", "lease.steps", *measure, "--warm"))

    seconds = ["--seconds", str(a.seconds)]
    compared = ["lease.compare", "--device", a.device, *only, *([] if cuda else ["--small"])]
    under, reads = profiles.profiler(), profiles.Table()
    profiled = [*under, *python, "lease.profiles", *measure]
    todo = {
        "install": [job("install", "lease.install", str(a.wheels), str(a.out / "site"))],
        "compare": dealt("compare", *compared),
        "checks": checks,
        "races": [job("races", "lease.races", *measure, *only, *seconds, *compiling)],
        "steps": [job("steps", "lease.steps", *measure, *seconds, *compiling)],
        "profiles": [Job("profiles", profiled, common, reads=reads.row)],
    }
    return [
        Stage(name, SECONDS[name], jobs, always=name == "install") for name, jobs in todo.items()
    ]


def defaults(path: str) -> Path:
    """In the folder that travels with the sources and is not one of theirs."""
    return ROOT / ".lease" / path
