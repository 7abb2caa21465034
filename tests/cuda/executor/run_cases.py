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


INSTANCES = ("odd", "long rows", "packs", "packs beside alignment")


def shifted(t):
    """The same numbers, one element further than memory begins."""
    room = t.new_empty(t.numel() + 1)
    return room[1:].view(t.shape).copy_(t.detach()).requires_grad_(t.requires_grad)


def inputs_of(case, dtype, instance):
    """Sizes that are multiples of nothing; few long rows; whole packs, aligned and not."""
    small = case.small
    flat = not (case.paired or case.images or "classes" in case.sizes)
    sizes = [2 * s + 31 for s in small]
    if instance == "long rows":
        sizes = [*[3 for _ in small[:-1]], 9001] if flat else [s + 2 for s in small]
        if "event" in case.sizes and "latent" in case.sizes:
            sizes = [3, 8209, 1029]
    elif instance.startswith("packs"):
        sizes = [16 if flat else 8] * (len(small) - 1) + [64 if flat else 16]
    inputs = case.inputs(
        *sizes,
        dtype=dtype,
        requires_grad=case.differentiable,
        instance=INSTANCES.index(instance),
    )
    if instance == "packs beside alignment":
        inputs = {
            n: shifted(t) if torch.is_tensor(t) and t.is_floating_point() else t
            for n, t in inputs.items()
        }
    return inputs


def main() -> None:
    executor_plugin.use("cpu" not in sys.argv[2:])
    found = {}
    for name, case in CASES.items():
        for dtype in DTYPES:
            for instance in INSTANCES:
                inputs = inputs_of(case, dtype, instance)
                values, grads = differentiate(case, inputs, case.differentiable)
                key = f"{name} {dtype} {instance}"
                found[key] = [t.detach() for t in (*values, *grads.values())]
    torch.save(found, sys.argv[1])
    print(f"launches: {executor_plugin.launches()}")


if __name__ == "__main__":
    main()
