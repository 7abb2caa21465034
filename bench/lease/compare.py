"""Every op, in each dtype and layout, on a device against the float64 reference on the CPU.

python -m lease.compare [--device cuda] [--small] [--share I/N] [--ops ...] [--dtypes ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from lease.entries import already, tell
from pyvae.testing import CASES, Inputs, OpCase, differentiate, disagreement, in_float64

DTYPES = ("float64", "float32", "bfloat16", "float16")
#: Of many blocks and no power of two, yet a matter of milliseconds for the reference.
SIZES = {"samples": 3, "batch": 300, "event": 777, "latent": 132, "classes": 33}
PAIRED = {"components": 130, "batch": 150, "latent": 67}


def plain(t: Tensor) -> Tensor:
    return t.clone()


def offset(t: Tensor) -> Tensor:
    """One element further than memory begins."""
    return t.new_empty(t.numel() + 1)[1:].view(t.shape).copy_(t)


def strided(t: Tensor) -> Tensor:
    """Every second element of longer rows, from the second on."""
    if not t.ndim:
        return t.clone()
    return t.new_empty(*t.shape[:-1], 2 * t.shape[-1] + 1)[..., 1::2].copy_(t)


def transposed(t: Tensor) -> Tensor:
    """Columns, not rows, lie together."""
    return t.mT.contiguous().mT if t.ndim > 1 else t.clone()


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    f.__name__: f for f in (plain, offset, strided, transposed)
}


def sizes_of(case: OpCase, small: bool) -> tuple[int, ...]:
    if small:
        return case.small
    sizes = PAIRED if case.paired else SIZES
    return tuple(sizes[name] for name in case.sizes)


def laid(inputs: Inputs, layout: Callable[[Tensor], Tensor], device: str) -> Inputs:
    """The same numbers on the device, as leaves of that layout."""
    return {
        name: layout(value.detach().to(device)).requires_grad_(value.requires_grad)
        if torch.is_tensor(value)
        else value
        for name, value in inputs.items()
    }


class Truth:
    """What the reference says of an op and a dtype, whatever the layout."""

    def __init__(self, case: OpCase, dtype: str, small: bool) -> None:
        self.case = case
        self.inputs = case.inputs(
            *sizes_of(case, small), dtype=getattr(torch, dtype), requires_grad=case.differentiable
        )
        exact = in_float64(self.inputs)
        values, grads = differentiate(case.specification, exact, case.differentiable)
        self.results = {
            **{f"result {i}": value for i, value in enumerate(values)},
            **{f"gradient of {name}": grad for name, grad in grads.items()},
        }

    def problems(self, layout: str, device: str) -> str:
        """What differs from it, or nothing."""
        inputs = laid(self.inputs, LAYOUTS[layout], device)
        values, grads = differentiate(self.case, inputs, self.case.differentiable)
        said = []
        for (what, wanted), found in zip(
            self.results.items(), (*values, *grads.values()), strict=True
        ):
            if found.device.type != torch.device(device).type:
                said.append(f"{what} is on {found.device}")
            elif problem := disagreement(found, wanted):
                said.append(f"{what}: {problem}")
        return "; ".join(said)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--device", default="cuda")
    made.add_argument("--small", action="store_true", help="a few numbers of each")
    made.add_argument("--share", default="0/1", metavar="I/N", help="every N-th, from the I-th on")
    made.add_argument("--ops", nargs="+", default=list(CASES), choices=list(CASES), metavar="OP")
    made.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    made.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    return made


def main(argv: list[str] | None = None) -> int:
    a = parser().parse_args(argv)
    first, step = map(int, a.share.split("/"))
    torch.set_num_threads(4 if step > 1 else 1)
    known, wrong = already(), 0
    for op, dtype in list(product(a.ops, a.dtypes))[first::step]:
        left = [name for name in a.layouts if f"{op} {dtype} {name}" not in known]
        truth = Truth(CASES[op], dtype, a.small) if left else None
        for layout in left:
            assert truth is not None
            try:
                problem = truth.problems(layout, a.device)
            except Exception as error:  # the others go on
                problem = f"{type(error).__name__}: {error}"
            wrong += bool(problem)
            tell(f"{op} {dtype} {layout}", **({"failed": problem[:500]} if problem else {}))
            if "CUDA error" in problem:  # nothing works on this device in this process any more
                return 3
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
