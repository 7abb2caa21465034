"""Eight ops, one call each, for Nsight Compute to look into.

    [ncu ...] python -m lease.profiles [--device cuda] [--scale N]

Without the profiler the calls are made all the same, which shows that they can be.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from typing import Any

from lease.entries import Entry, tell
from lease.tools import find_tool

PROFILED = (
    ("bernoulli_log_prob", "float32"),
    ("bernoulli_log_prob", "bfloat16"),
    ("gaussian_log_prob", "float32"),
    ("gaussian_rsample_kl", "float32"),
    ("zero_inflated_negative_binomial_log_prob", "float32"),
    ("categorical_log_prob", "float32"),
    ("discretized_logistic_mixture_log_prob", "float32"),
    ("gaussian_mixture_log_prob", "float32"),
)
#: Nsight Compute's name -> ours, in base units (ns, bytes, percent).
METRICS = {
    "gpu__time_duration.sum": "ns",
    "dram__bytes.sum": "bytes",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "memory %",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "multiprocessors %",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "occupancy %",
    "launch__registers_per_thread": "registers",
    "smsp__inst_executed.sum": "instructions",
}


def profiler() -> list[str]:
    """The command that the program is put behind; empty where there is no profiler."""
    found = find_tool("ncu")
    if found is None:
        return []
    which = ["--kernel-name-base", "mangled", "--kernel-name", "regex:pyvae"]
    how = ["--profile-from-start", "off", "--target-processes", "all", "--clock-control", "none"]
    form = ["--csv", "--page", "raw", "--print-units", "base", "--metrics", ",".join(METRICS)]
    return [found, *which, *how, *form]


class Table:
    """Reads the profiler's table, which it prints as CSV among other lines: one kernel a line."""

    def __init__(self) -> None:
        self.head: list[str] = []

    def row(self, line: str) -> Entry | None:
        if not line.startswith('"'):
            return None
        cells = next(csv.reader([line]))
        if cells[0] == "ID":
            self.head = cells
            return None
        facts = dict(zip(self.head, cells, strict=False))
        if not cells[0].isdigit() or "Kernel Name" not in facts:  # the line of units
            return None
        found: dict[str, Any] = {"key": f"{cells[0]} {short(facts['Kernel Name'])}"}
        for name, ours in METRICS.items():
            text = facts.get(name, "").replace(",", "")
            found[ours] = float(text) if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text) else text
        return found


def short(kernel: str) -> str:
    """A kernel's name without what all of ours have in common.

    >>> short("void pyvae::device::map_kernel<pyvae::device::Bernoulli, float>(pyvae::Map)")
    'map_kernel<Bernoulli, float>'
    """
    name = re.sub(r"^void ", "", kernel)
    name = re.sub(r"pyvae::(device::)?(\w+::)?", "", name)
    return name.rpartition(">(")[0][:160] + ">" if ">(" in name else name.partition("(")[0][:160]


def main(argv: list[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--device", default="cuda")
    made.add_argument("--scale", type=int, default=1, help="divide the batches, for a try")
    a = made.parse_args(argv)

    import gpu_ops
    import torch

    from pyvae.testing import CASES, differentiate

    cuda = a.device.startswith("cuda")
    for op, dtype in PROFILED:
        case = CASES[op]
        inputs = case.inputs(
            *gpu_ops.sizes_of(case, a.scale),
            dtype=getattr(torch, dtype),
            device=a.device,
            drawn_on=a.device,
            requires_grad=case.learned,
        )
        differentiate(case, inputs, case.learned)  # what is loaded or allocated at first is, now
        if cuda:
            torch.cuda.synchronize()
            torch.cuda.cudart().cudaProfilerStart()
        differentiate(case, inputs, case.learned)
        if cuda:
            torch.cuda.synchronize()
            torch.cuda.cudart().cudaProfilerStop()
        tell(f"called {op} {dtype}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
