"""Every op at sizes around vectors, chunks and tails, by the executor: results into a file.

    python run_cases.py FILE [cpu]

``cpu`` takes the CPU's own kernels instead.
"""

from __future__ import annotations

import sys

import executor_plugin
import torch

from pyvae.testing import CASES, differentiate

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def inputs_of(case, dtype, instance):
    """Sizes that are not multiples of anything, of long rows once and of many short ones once."""
    sizes = {0: [2 * s + 31 for s in case.small], 1: [3, *case.small[1:-1], 1029]}[instance]
    if instance and (case.paired or case.images or "classes" in case.sizes):
        sizes = [s + 2 for s in case.small]
    return case.inputs(
        *sizes[: len(case.small)],
        dtype=dtype,
        requires_grad=case.differentiable,
        instance=instance,
    )


def main() -> None:
    executor_plugin.use("cpu" not in sys.argv[2:])
    found = {}
    for name, case in CASES.items():
        for dtype in DTYPES:
            for instance in range(2):
                inputs = inputs_of(case, dtype, instance)
                values, grads = differentiate(case, inputs, case.differentiable)
                key = f"{name} {dtype} {instance}"
                found[key] = [t.detach() for t in (*values, *grads.values())]
    torch.save(found, sys.argv[1])
    print(f"launches: {executor_plugin.launches()}")


if __name__ == "__main__":
    main()
