"""One op at one size: eager, torch.compile and pyvae, checked and then raced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pyvae import reference
from pyvae.benchmarking.launches import launches_of
from pyvae.benchmarking.memory import Memory, memory_of
from pyvae.benchmarking.plain import plain_of
from pyvae.benchmarking.result import AGAIN, COPY, Result, Work
from pyvae.benchmarking.timing import Variant, race, timer_of
from pyvae.testing import CASES, TOLERANCE, Inputs, in_float64, outputs

__all__ = ["Contest", "WrongResultError", "run_contest"]

Function = Callable[[Inputs], Any]
Step = Callable[[Inputs], tuple[Tensor, ...]]


class WrongResultError(AssertionError):
    """A variant does not compute what the specification says; it is not timed."""

    def __init__(self, message: str, variant: str = "") -> None:
        super().__init__(message)
        self.variant = variant


class Contest:
    """The variants of a work, on inputs that they share.

    In the timed calls the noise is drawn as each side draws it. For the check all get the noise of
    one seed. Where the op may overwrite an argument, each call of every variant gets a fresh copy
    of it, a non-leaf made before the clock starts: as if a layer had just made it.

    Args:
        work: what to race
        functions: other or further variants by name, as functions of the inputs
    """

    def __init__(self, work: Work, functions: Mapping[str, Function] | None = None) -> None:
        self.work, self.case = work, CASES[work.op]
        self.learned = self.case.learned
        wanted = self.learned if work.backward else ()
        self.inputs = self.case.inputs(
            *work.sizes,
            dtype=work.dtype,
            device=work.device,
            drawn_on=work.device,
            requires_grad=wanted,
        )
        self.overwritten = self._second_argument() if work.inplace else None
        options: dict[str, Any] = {"inplace": True} if work.inplace else {}
        self.kept = {"batch_ndim": len(work.sizes)} if work.by_element else {}
        self.functions: dict[str, Function] = {
            "eager": self._plain(),
            "compile": self._compiled(),
            "pyvae": lambda inputs: self.case(inputs, **options, **self.kept),
            **(functions or {}),
        }
        exact = in_float64(self.inputs)
        with torch.no_grad():
            values = outputs(self._specification(exact))
        self.noise_shape = values[0].shape  # where there is noise, that of the sample
        self.incoming = [self._incoming(value) for value in values]
        self.truth = self._step(self._specification, exact)(exact)

    def variant(self, name: str) -> Variant:
        """To be timed; the result is checked first.

        Raises:
            WrongResultError: it is not that of the specification.
        """
        self.check(name)
        step = self._step(self.functions[name])
        timed = {n: value for n, value in self.inputs.items() if n != "seed"}

        def run(inputs: Inputs) -> None:
            step(inputs)  # results and gradients are freed here

        return Variant(run, lambda: self._fresh(timed))

    def memory(self, name: str) -> Memory:
        """Bytes that one call allocates."""
        return memory_of(*self._warm(name), self.work.device)

    def launches(self, name: str) -> int | None:
        """Kernels that one call launches; None on a CPU."""
        return launches_of(*self._warm(name), self.work.device)

    def _warm(self, name: str) -> tuple[Step, Inputs]:
        """A step that has run before, and inputs for one more."""
        step = self._step(self.functions[name])
        timed = {n: value for n, value in self.inputs.items() if n != "seed"}
        step(self._fresh(timed))
        return step, self._fresh(timed)

    def check(self, name: str) -> None:
        """Compare results and gradients with the specification in float64."""
        inputs = dict(self.inputs)
        if name in ("eager", "compile") and "seed" in inputs:
            seed = inputs.pop("seed")
            if plain_of(self.case, self.work.by_element):
                noise = reference.philox_normal(seed, self.noise_shape, torch.float64)
                inputs["eps"] = noise.to(self.work.dtype)
            else:
                inputs["seed"] = seed
        found = self._step(self.functions[name])(self._fresh(inputs))
        # Plain code rounds to 16 bits between any two operations, the kernels at the end only.
        coarse = self.work.dtype.itemsize < 4 and name in ("eager", "compile")
        for i, (value, truth) in enumerate(zip(found, self.truth, strict=True)):
            rtol, atol = TOLERANCE[self.work.dtype if coarse else value.dtype]
            slack = 8 if coarse else 2
            scale = max(4.0, truth.abs().max().item()) if truth.numel() else 1.0
            if value.shape != truth.shape or not torch.allclose(
                value.double(), truth, rtol=slack * rtol, atol=slack * atol * scale
            ):
                error = (
                    f"by up to {(value.double() - truth).abs().max().item():.3g}"
                    if value.shape == truth.shape
                    else f"in shape: {tuple(value.shape)} for {tuple(truth.shape)}"
                )
                what = "gradient" if i >= len(self.incoming) else "result"
                raise WrongResultError(
                    f"{self.work.name}: a {what} of {name} differs from the float64 reference "
                    + error,
                    name,
                )

    def _incoming(self, value: Tensor) -> Tensor | None:
        """1 for a loss; that of a mean to minimise for what has one value per row; else random."""
        if value.ndim == 0:
            return None
        if value.ndim == 1 and not self.work.weighted:
            sign = -1 if self.case.native.endswith("log_prob") else 1
            return sign * torch.ones(value.shape, device=value.device) / max(len(value), 1)
        generator = torch.Generator().manual_seed(1)
        return torch.randn(value.shape, generator=generator).to(value.device)

    def _specification(self, inputs: Inputs) -> Any:
        return self.case.specification(inputs, **self.kept)

    def _second_argument(self) -> str:
        second = self.case.arguments(self.inputs)[1]
        return next(name for name, value in self.inputs.items() if value is second)

    def _fresh(self, inputs: Inputs) -> Inputs:
        name = self.overwritten
        return inputs if name is None else {**inputs, name: inputs[name].clone()}

    def _plain(self) -> Function:
        plain = plain_of(self.case, self.work.by_element)
        return self._specification if plain is None else lambda inputs: plain(**inputs)

    def _compiled(self) -> Function:
        plain = plain_of(self.case, self.work.by_element)
        if plain is None:
            plain = lambda **inputs: self._specification(inputs)  # noqa: E731
        compiled = torch.compile(plain, dynamic=False, fullgraph=True)
        return lambda inputs: compiled(**inputs)

    def _step(self, function: Function, leaves: Inputs | None = None) -> Step:
        """Results, and gradients (of the leaves) where the work has a backward."""
        wanted = [(leaves or self.inputs)[name] for name in self.learned]
        if not self.work.backward:

            def forward(inputs: Inputs) -> tuple[Tensor, ...]:
                with torch.no_grad():
                    return outputs(function(inputs))

            return forward

        converted: dict[tuple[torch.dtype, ...], Sequence[Tensor | None]] = {}

        def forward_backward(inputs: Inputs) -> tuple[Tensor, ...]:
            results = outputs(function(inputs))
            dtypes = tuple(r.dtype for r in results)
            incoming = converted.get(dtypes)
            if incoming is None:
                pairs = zip(self.incoming, dtypes, strict=True)
                incoming = [None if g is None else g.to(dtype) for g, dtype in pairs]
                converted[dtypes] = incoming
            return results + torch.autograd.grad(results, wanted, incoming)

        return forward_backward


def run_contest(
    work: Work,
    *,
    seconds: float = 3.0,
    leave_out: Mapping[str, str] | None = None,
    memory: bool = True,
    calls: int = 1,
    names: Collection[str] = ("eager", "compile", "pyvae"),
) -> Result:
    """Check and race a work. pyvae runs twice, which gives the noise floor.

    Args:
        work: what to race
        seconds: for the race; checking and compiling come on top
        leave_out: variant -> why it is not run
        memory: measure allocations too
        calls: consecutive calls per turn
        names: which variants
    """
    skipped = dict(leave_out or {})
    torch._dynamo.reset()
    contest = Contest(work)
    runs = [name for name in names if name not in skipped]
    variants = {name: contest.variant(name) for name in runs}
    if "pyvae" in variants:
        variants[AGAIN] = variants["pyvae"]
    traffic = contest.case.bytes_moved(*work.sizes, dtype=work.dtype)
    moved = traffic.forward_backward if work.backward else traffic.forward
    source = torch.zeros(max(moved // 8, 1), device=work.device)
    target = torch.zeros_like(source)
    variants[COPY] = Variant(lambda _: target.copy_(source))
    times = race(variants, seconds=seconds, calls=calls, timer=timer_of(work.device))
    used = {name: contest.memory(name) for name in runs} if memory else {}
    counted = {name: contest.launches(name) for name in runs if work.device.startswith("cuda")}
    launches = {name: count for name, count in counted.items() if count is not None}
    return Result(work, times, used, moved, skipped, launches)
