"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

__all__ = ["compile_problem", "machine_facts"]


def machine_facts(*, malloc_raised: bool = False) -> dict[str, Any]:
    """Versions, processor, instruction set, threads, allocator, date: fit for JSON."""
    import pyvae
    from pyvae import _native

    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instruction set": _native.instruction_set(),
        "torch's instruction set": torch.backends.cpu.get_cpu_capability(),
        "pyvae": pyvae.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "malloc": "thresholds raised (mallopt)" if malloc_raised else "default thresholds",
        "load average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def compile_problem(device: str = "cpu") -> str | None:
    """Why torch.compile does not work on this machine; None where it does."""
    try:
        torch.compile(lambda x: x + 1, dynamic=False)(torch.ones(2, device=device))
    except Exception as error:  # a missing compiler or header comes in many forms
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"torch.compile fails here ({lines[0] if lines else type(error).__name__})"
    return None
