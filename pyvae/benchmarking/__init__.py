"""Timing ops fairly: checked before they are timed, shuffled call by call, medians side by side.

``pyvae bench`` is the short form of it; ``bench/`` in the source folder is the long one.
"""

from pyvae.benchmarking.contest import Contest, WrongResultError, run_contest
from pyvae.benchmarking.launches import launches_of
from pyvae.benchmarking.machine import compile_problem, machine_facts
from pyvae.benchmarking.memory import Memory, memory_of
from pyvae.benchmarking.result import Result, Work
from pyvae.benchmarking.tables import markdown, op_table
from pyvae.benchmarking.timing import Times, Variant, race, timer_of
from pyvae.benchmarking.works import SHORT, WORKS, bench_sizes

__all__ = [
    "SHORT",
    "WORKS",
    "Contest",
    "Memory",
    "Result",
    "Times",
    "Variant",
    "Work",
    "WrongResultError",
    "bench_sizes",
    "compile_problem",
    "launches_of",
    "machine_facts",
    "markdown",
    "memory_of",
    "op_table",
    "race",
    "run_contest",
    "timer_of",
]
