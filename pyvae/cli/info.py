"""``pyvae info``."""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any

__all__ = ["add_arguments", "facts", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def facts() -> dict[str, Any]:
    """Versions, and what the kernels of this machine are."""
    import torch

    import pyvae

    found: dict[str, Any] = {
        "pyvae": pyvae.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cuda device": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "tf32": _tf32(),
        "bfloat16": _bfloat16(),
    }
    return found | _kernels()


def _tf32() -> str:
    """What computes with 10 bits of float32's mantissa; the rest is exact."""
    import torch

    if not torch.cuda.is_available():
        return "no cuda device"
    if torch.cuda.get_device_capability()[0] < 8:
        return "not on this device"
    products = torch.get_float32_matmul_precision() != "highest"
    uses = {"matrix products": products, "convolutions": torch.backends.cudnn.allow_tf32}
    return ", ".join(f"{name} {'yes' if used else 'no'}" for name, used in uses.items())


def _bfloat16() -> str:
    """Whether the device that models train on computes in it, or converts."""
    import torch

    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "in hardware, --precision bf16" if native else "emulated"
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public question
    native = any(getattr(torch.cpu, name, lambda: False)() for name in known)
    return "in hardware (CPU)" if native else "emulated (CPU)"


def _kernels() -> dict[str, Any]:
    from pyvae import _build, _native

    found: dict[str, Any] = {
        "built for torch": ", ".join(_build.modules),
        "instruction set": _native.instruction_set(),
        "cuda kernels": "yes" if _build.cuda else "no",
    }
    if _build.cuda:
        found["cuda toolkit"] = _build.cuda_version
        found["cuda architectures"] = ", ".join(f"sm_{a}" for a in _build.cuda_archs) + ", PTX"
    return found


def run(arguments: argparse.Namespace) -> int:
    """Print the facts."""
    found = facts()
    if arguments.json:
        print(json.dumps(found, indent=2, default=str))
    else:
        width = max(map(len, found))
        for name, value in found.items():
            print(f"{name:<{width}}  {value}")
    return 0
