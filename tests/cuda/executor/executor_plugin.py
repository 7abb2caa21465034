"""CPU tensors run the CUDA kernels, by the executor: for any test of the ops.

    PYTHONPATH=tests/cuda/executor pytest -p executor_plugin tests/ops/test_values.py

PYVAE_EXECUTOR_SANITIZE=1 takes the build with sanitizers, for a Python that has address sanitizer's
library preloaded.
"""

from __future__ import annotations

import ctypes
import functools
import os

import executor_build


@functools.cache
def _library() -> ctypes.CDLL:
    from pyvae import _native

    # The executor's library finds the table of kernels in pyvae's.
    ctypes.CDLL(str(_native.path), mode=os.RTLD_GLOBAL | os.RTLD_NOLOAD)
    path = executor_build.library(bool(os.environ.get("PYVAE_EXECUTOR_SANITIZE")))
    return ctypes.CDLL(str(path), mode=os.RTLD_NOW)


def use(executor: bool) -> None:
    """Whether CPU tensors run the CUDA kernels from now on, or the CPU's own."""
    _library().pyvae_executor_use(executor)


def launches() -> int:
    """Kernels launched so far."""
    return int(_library().pyvae_executor_launches())


def pytest_configure() -> None:
    use(True)


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.write_line(f"{launches()} launches of CUDA kernels by the executor")
