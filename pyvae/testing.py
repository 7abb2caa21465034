"""One row per op: what the tests sweep over and the benchmarks race.

A row knows how to make inputs, call the op and its specification, and count bytes. Adding an op
is one row in ``CASES``; no test or benchmark file changes.

Example:
    >>> case = CASES["bernoulli_log_prob"]
    >>> inputs = case.inputs(4, 784, requires_grad=case.learned)
    >>> torch.allclose(case(inputs), case.specification(inputs), rtol=1e-5)
    True
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from . import functional as F
from . import reference

Shape = tuple[int, ...]
Inputs = dict[str, Any]
Result = Tensor | tuple[Tensor, ...]
Draw = Callable[[Shape, Generator], Tensor]


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


def normal(shape: Shape, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(shape: Shape, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def logits(shape: Shape, generator: Generator) -> Tensor:
    return 3 * normal(shape, generator)


def weight(shape: Shape, generator: Generator) -> Tensor:
    return torch.full(shape, 0.7, dtype=torch.float64)


def noise_seed(shape: Shape, generator: Generator) -> Tensor:
    """A seed that fills both words of the key."""
    return torch.randint(-(2**63), 2**63 - 1, shape, generator=generator)


@dataclass(frozen=True)
class OpCase:
    """One op.

    Attributes:
        name: the op as users and benchmarks call it.
        function: takes what ``inputs`` gives by keyword, and further options.
        sizes: names of the sizes that ``inputs`` takes, such as ("batch", "event").
        small: sizes for tests.
        shapes: sizes -> shape of each tensor argument, in the order of the native op.
        arguments: keywords -> arguments of ``torch.ops.pyvae.<native>``, which are also those of
            ``reference.<native>``.
        differentiable: arguments that gradients flow to.
        learned: those of them that training asks gradients for (not the data).
        broadcasts: arguments that may have any shape that broadcasts.
        options: sizes -> keywords that are no tensors.
        native: name in ``torch.ops.pyvae`` and in ``reference``, where it is not ``name``.
        draw: how arguments are drawn that are not standard normal.
        stops_gradient: the gradients leave out a part of the value's derivative on purpose, so
            that finite differences do not show them.
        one_pass: the gradients are made beside the value, without reading the operands again.
        tolerance: per dtype of the arguments.
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
    stops_gradient: bool = False
    one_pass: bool = False
    tolerance: Mapping[torch.dtype, Tolerance] = field(default_factory=lambda: TOLERANCE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "native", self.native or self.name)

    def inputs(
        self,
        *sizes: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        requires_grad: Collection[str] = (),
        instance: int = 0,
    ) -> Inputs:
        """Keyword arguments; the same for the same ``instance``. No sizes: ``small``."""
        generator = Generator().manual_seed(instance)
        sizes = sizes or self.small
        made: Inputs = {}
        for name, shape in self.shapes(*sizes).items():
            t = self.draw.get(name, normal)(shape, generator)
            t = t.to(device, dtype if t.is_floating_point() else t.dtype)
            made[name] = t.requires_grad_(name in requires_grad)
        return {**made, **self.options(*sizes)}

    def __call__(self, inputs: Mapping[str, Any], **options: Any) -> Result:
        """The op."""
        return self.function(**{**inputs, **options})

    def specification(self, inputs: Mapping[str, Any], **options: Any) -> Result:
        """The plain-PyTorch reference on the same inputs."""
        function: Callable[..., Result] = getattr(reference, self.native)
        return function(*self.arguments({**inputs, **options}))

    def bytes_moved(self, *sizes: int, dtype: torch.dtype = torch.float32) -> Bytes:
        """Bytes of memory traffic in the forward, and in forward and backward together.

        Counted on the shapes alone: operands are read once in the forward and, unless the op is
        ``one_pass``, once more in the backward; results and gradients are written once, and
        incoming gradients of the results' size are read.
        """
        sizes = sizes or self.small
        made: Inputs = {
            name: torch.empty(shape, device="meta", dtype=torch.int64 if name == "seed" else dtype)
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
    """The same inputs in float64, as leaves of their own: what a specification is judged on."""

    def lift(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        copy = value.detach()
        if copy.dtype != torch.int64:
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


def _gaussian_elbo_loss(
    x: Tensor, decoded_mean: Tensor, decoded_logvar: Tensor, **rest: Any
) -> Tensor:
    return F.elbo_loss(x, (decoded_mean, decoded_logvar), likelihood="gaussian", **rest)


def _bernoulli_elbo_loss(x: Tensor, logits: Tensor, **rest: Any) -> Tensor:
    return F.elbo_loss(x, logits, likelihood="bernoulli", **rest)


def _tensors(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Tensors (or None) by name, then ``batch_ndim``."""
    return lambda a: (*(a.get(name) for name in names), a.get("batch_ndim", 1))


def _loss(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    reductions = {"none": 0, "mean": 1, "sum": 2}
    return lambda a: (*(a.get(name) for name in names), reductions[a.get("reduction", "mean")])


def _log_ratio(name: str, prior: bool, path_derivative: bool) -> OpCase:
    learned = ("mean", "logvar", *(("prior_mean", "prior_logvar") if prior else ()))
    tensors = ("mean", "logvar", "prior_mean", "prior_logvar", "seed")
    return OpCase(
        name=name,
        function=F.gaussian_rsample_log_ratio,
        native="gaussian_rsample_log_ratio",
        sizes=("samples", "batch", "latent"),
        small=(3, 5, 7),
        shapes=lambda k, b, d: {
            **{n: (b, d) for n in learned[:2]},
            **{n: (d,) for n in learned[2:]},
            "seed": (),
        },
        options=lambda k, b, d: {"num_samples": k, "path_derivative": path_derivative},
        arguments=lambda a: (
            *(a.get(n) for n in tensors),
            a["num_samples"],
            a["path_derivative"],
            a.get("batch_ndim", 1),
        ),
        differentiable=learned,
        learned=learned,
        broadcasts=learned[1:],
        draw={"seed": noise_seed},
        stops_gradient=path_derivative,
    )


_ROWS = [
    OpCase(
        name="gaussian_rsample",
        function=F.gaussian_rsample,
        sizes=("samples", "batch", "latent"),
        small=(3, 5, 7),
        shapes=lambda k, b, d: {"mean": (b, d), "logvar": (b, d), "seed": ()},
        options=lambda k, b, d: {"sample_shape": (k,)},
        arguments=lambda a: (
            a["mean"],
            a["logvar"],
            a["seed"],
            (*a.get("sample_shape", ()), *a["mean"].shape),
        ),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
        draw={"seed": noise_seed},
    ),
    OpCase(
        name="gaussian_kl",
        function=F.gaussian_kl,
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"mean": (b, d), "logvar": (b, d)},
        arguments=_tensors("mean", "logvar", "prior_mean", "prior_logvar"),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
    ),
    OpCase(
        name="gaussian_kl_prior",
        function=F.gaussian_kl,
        native="gaussian_kl",
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {
            "mean": (b, d),
            "logvar": (b, d),
            "prior_mean": (d,),
            "prior_logvar": (d,),
        },
        arguments=_tensors("mean", "logvar", "prior_mean", "prior_logvar"),
        differentiable=("mean", "logvar", "prior_mean", "prior_logvar"),
        learned=("mean", "logvar", "prior_mean", "prior_logvar"),
        broadcasts=("logvar", "prior_mean", "prior_logvar"),
    ),
    OpCase(
        name="gaussian_rsample_kl",
        function=F.gaussian_rsample_kl,
        sizes=("batch", "latent"),
        small=(5, 7),
        shapes=lambda b, d: {"mean": (b, d), "logvar": (b, d), "seed": ()},
        arguments=_tensors("mean", "logvar", "seed"),
        differentiable=("mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
        draw={"seed": noise_seed},
    ),
    _log_ratio("gaussian_rsample_log_ratio", prior=False, path_derivative=False),
    _log_ratio("gaussian_rsample_log_ratio_prior", prior=True, path_derivative=False),
    _log_ratio("gaussian_rsample_log_ratio_path", prior=True, path_derivative=True),
    OpCase(
        name="gaussian_log_prob",
        function=F.gaussian_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "mean": (b, d), "logvar": (b, d)},
        arguments=_tensors("x", "mean", "logvar"),
        differentiable=("x", "mean", "logvar"),
        learned=("mean", "logvar"),
        broadcasts=("logvar",),
    ),
    OpCase(
        name="bernoulli_log_prob",
        function=F.bernoulli_log_prob,
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {"x": (b, d), "logits": (b, d)},
        arguments=_tensors("x", "logits"),
        differentiable=("x", "logits"),
        learned=("logits",),
        draw={"x": uniform, "logits": logits},
        one_pass=True,
    ),
    OpCase(
        name="elbo_loss",
        function=_bernoulli_elbo_loss,
        native="bernoulli_elbo_loss",
        sizes=("batch", "event", "latent"),
        small=(5, 19, 7),
        shapes=lambda b, d, n: {
            "x": (b, d),
            "logits": (b, d),
            "mean": (b, n),
            "logvar": (b, n),
            "beta": (),
        },
        arguments=_loss("x", "logits", "mean", "logvar", "beta"),
        differentiable=("x", "logits", "mean", "logvar", "beta"),
        learned=("logits", "mean", "logvar"),
        broadcasts=("logvar",),
        draw={"x": uniform, "logits": logits, "beta": weight},
        one_pass=True,
    ),
    OpCase(
        name="elbo_loss_gaussian",
        function=_gaussian_elbo_loss,
        native="gaussian_elbo_loss",
        sizes=("batch", "event", "latent"),
        small=(5, 19, 7),
        shapes=lambda b, d, n: {
            "x": (b, d),
            "decoded_mean": (b, d),
            "decoded_logvar": (b, d),
            "mean": (b, n),
            "logvar": (b, n),
            "beta": (),
        },
        arguments=_loss("x", "decoded_mean", "decoded_logvar", "mean", "logvar", "beta"),
        differentiable=("x", "decoded_mean", "decoded_logvar", "mean", "logvar", "beta"),
        learned=("decoded_mean", "decoded_logvar", "mean", "logvar"),
        broadcasts=("decoded_logvar", "logvar"),
        draw={"beta": weight},
        one_pass=True,
    ),
]
CASES: Mapping[str, OpCase] = {case.name: case for case in _ROWS}
