"""One op as tests and benchmarks see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from pyvae import reference as references

from .draw import Draw, Shape, index, normal

Inputs = dict[str, Any]
Result = Tensor | tuple[Tensor, ...]


class Tolerance(NamedTuple):
    """How far a result may lie from float64, relative to itself and absolute."""

    rtol: float
    atol: float


class Bytes(NamedTuple):
    """Memory traffic that an op cannot avoid: each operand once per pass, each result once."""

    forward: int
    forward_backward: int


TOLERANCE: Mapping[torch.dtype, Tolerance] = {
    torch.float64: Tolerance(1e-12, 1e-12),
    torch.float32: Tolerance(5e-6, 5e-6),
    torch.bfloat16: Tolerance(8e-3, 8e-3),
    torch.float16: Tolerance(1e-3, 1e-3),
}


@dataclass(frozen=True)
class OpCase:
    """One op.

    Attributes:
        name: the op as users and benchmarks call it.
        function: takes what ``inputs`` gives by keyword, and further options.
        sizes: names of the sizes that ``inputs`` takes, such as ("batch", "event").
        small: sizes for tests.
        shapes: sizes -> shape of each tensor argument, in the order of the native op.
        arguments: keywords -> arguments of ``torch.ops.<namespace>.<native>``, which are also those
            of the reference.
        differentiable: arguments that gradients flow to.
        learned: those of them that training asks gradients for (not the data).
        broadcasts: arguments that may have any shape that broadcasts.
        options: sizes -> keywords that are no tensors.
        native: name in ``torch.ops.<namespace>``, where it is not ``name``.
        draw: how arguments are drawn that are not standard normal.
        classes: sizes -> how many values each argument has that is an index, of 0, 1, 2, ...
        stops_gradient: the gradients leave out a part of the value's derivative on purpose, so
            that finite differences do not show them.
        levels: bytes are levels of a pixel, and floats its places from -1 to 1.
        paired: every row of one argument with every row of another: the arguments have no common
            shape, and the work grows with the square of the sizes.
        one_pass: the gradients are made beside the value, without reading the operands again.
        images: x has channels, to each of which belong several planes of parameters; integers in x
            are levels from 0 to 255.
        tolerance: per dtype of the arguments.
        reference: what the op means, in plain PyTorch; that of ``pyvae.reference`` by the native
            name, unless given.
        namespace: where the op is in ``torch.ops``.
    """

    name: str
    function: Callable[..., Result]
    sizes: tuple[str, ...]
    small: Shape
    shapes: Callable[..., dict[str, Shape]]
    arguments: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    differentiable: tuple[str, ...]
    learned: tuple[str, ...]
    broadcasts: tuple[str, ...] = ()
    options: Callable[..., dict[str, Any]] = lambda *sizes: {}
    native: str = ""
    draw: Mapping[str, Draw] = field(default_factory=dict)
    classes: Callable[..., dict[str, int]] = lambda *sizes: {}
    stops_gradient: bool = False
    levels: bool = False
    paired: bool = False
    one_pass: bool = False
    images: bool = False
    tolerance: Mapping[torch.dtype, Tolerance] = field(default_factory=lambda: TOLERANCE)
    reference: Callable[..., Result] | None = None
    namespace: str = "pyvae"

    def __post_init__(self) -> None:
        object.__setattr__(self, "native", self.native or self.name)
        if self.reference is None:
            if self.namespace != "pyvae":
                raise ValueError(
                    f"{self.name}: an op of torch.ops.{self.namespace} needs a reference, got None"
                )
            object.__setattr__(self, "reference", getattr(references, self.native))

    @property
    def ops(self) -> Any:
        """``torch.ops.<namespace>``, where the op's backward and its other forms are too."""
        return getattr(torch.ops, self.namespace)

    @property
    def op(self) -> Any:
        """``torch.ops.<namespace>.<native>``."""
        return getattr(self.ops, self.native)

    def inputs(
        self,
        *sizes: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        requires_grad: Collection[str] = (),
        instance: int = 0,
        drawn_on: torch.device | str = "cpu",
    ) -> Inputs:
        """Keyword arguments; the same for the same ``instance``. No sizes: ``small``.

        Drawn on another device they are other numbers, but large ones come sooner.
        """
        generator = Generator(drawn_on).manual_seed(instance)
        sizes = sizes or self.small
        made: Inputs = {}
        classes = self.classes(*sizes)
        for name, shape in self.shapes(*sizes).items():
            draw = index(classes[name]) if name in classes else self.draw.get(name, normal)
            t = draw(shape, generator)
            t = t.to(device, dtype if t.is_floating_point() else t.dtype)
            made[name] = t.requires_grad_(name in requires_grad)
        return {**made, **self.options(*sizes)}

    def __call__(self, inputs: Mapping[str, Any], **options: Any) -> Result:
        """The op."""
        return self.function(**{**inputs, **options})

    def specification(self, inputs: Mapping[str, Any], **options: Any) -> Result:
        """The plain-PyTorch reference on the same inputs."""
        assert self.reference is not None  # see __post_init__
        return self.reference(*self.arguments({**inputs, **options}))

    def bytes_moved(self, *sizes: int, dtype: torch.dtype = torch.float32) -> Bytes:
        """Bytes of memory traffic in the forward, and in forward and backward together.

        Counted on the shapes alone: operands are read once in the forward and, unless the op is
        ``one_pass``, once more in the backward; results and gradients are written once, and
        incoming gradients of the results' size are read.
        """
        sizes = sizes or self.small
        dtypes = dict.fromkeys(("seed", *self.classes(*sizes)), torch.int64)
        made: Inputs = {
            name: torch.empty(shape, device="meta", dtype=dtypes.get(name, dtype))
            for name, shape in self.shapes(*sizes).items()
        }
        results = outputs(self({**made, **self.options(*sizes)}))
        read, written = sum(t.nbytes for t in made.values()), sum(t.nbytes for t in results)
        grads = sum(made[name].nbytes for name in self.learned)
        again = 0 if self.one_pass else read + written
        return Bytes(read + written, read + written + again + grads)


def outputs(result: Result) -> tuple[Tensor, ...]:
    """The results of an op as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def in_float64(inputs: Mapping[str, Any]) -> Inputs:
    """The same inputs in float64, bytes as they are: what a specification is judged on."""

    def lift(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        copy = value.detach()
        if copy.is_floating_point():
            copy = copy.double()
        return copy.clone().requires_grad_(value.requires_grad)

    return {name: lift(value) for name, value in inputs.items()}


def differentiate(
    function: Callable[[Inputs], Result], inputs: Inputs, wanted: Collection[str], instance: int = 0
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Results, and gradients by name for incoming gradients drawn alike for every dtype."""
    results = outputs(function(inputs))
    generator = Generator().manual_seed(1000 + instance)
    incoming = [normal(tuple(r.shape), generator).to(r.device, r.dtype) for r in results]
    grads = torch.autograd.grad(results, [inputs[name] for name in wanted], incoming)
    return results, dict(zip(wanted, grads, strict=True))


def tensors(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Tensors (or None) by name, then ``batch_ndim``."""
    return lambda a: (*(a.get(name) for name in names), a.get("batch_ndim", 1))
