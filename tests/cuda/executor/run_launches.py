"""How many kernels the loss side of a training step launches, by the executor.

    python run_launches.py

Those of pyvae as the executor counts them, and those of torch as its profiler names them: what lies
between the networks, whose results and incoming gradients are made beforehand.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import executor_plugin
import torch
from torch import Tensor

from pyvae import functional as F
from pyvae.distributions import Bernoulli, DiagonalGaussian, StandardNormal
from pyvae.objectives import ELBO, Batch

#: Of torch's innermost calls, those that launch nothing: they allocate, or look at the same memory.
_NO_KERNEL = (
    *("empty", "empty_like", "empty_strided", "resize_", "detach", "alias", "view", "reshape"),
    *("expand", "as_strided", "select", "slice", "unsqueeze", "squeeze", "t", "transpose", "to"),
    *("result_type", "lift_fresh", "_unsafe_view", "set_", "is_nonzero", "item"),
)


def of_torch(profiled: torch.profiler.profile) -> int:
    """Kernels that torch itself would launch."""
    kernels = 0
    for event in profiled.events():
        name = event.name.removeprefix("aten::")
        innermost = not any(child.name.startswith("aten::") for child in event.cpu_children)
        kernels += event.name.startswith("aten::") and innermost and name not in _NO_KERNEL
    return kernels


def count(step: Callable[[], None]) -> dict[str, int]:
    step()  # what is made once
    before = executor_plugin.launches()
    with torch.profiler.profile() as profiled:
        step()
    return {"pyvae": executor_plugin.launches() - before, "torch": of_torch(profiled)}


def elbo(dtype: torch.dtype, beta: Tensor | float, shape: tuple[int, ...], batch: int) -> dict:
    x = torch.rand(batch, *shape).to(dtype)
    seed = torch.tensor(1)
    mean, logvar = (torch.randn(batch, 5).to(dtype).requires_grad_() for _ in range(2))
    logits = torch.randn(batch, *shape).to(dtype).requires_grad_()
    of_decoder = torch.randn(batch, 5).to(dtype)

    def step() -> None:
        for leaf in (mean, logvar, logits):
            leaf.grad = None
        z = F.gaussian_rsample(mean, logvar, seed=seed)
        loss = F.elbo_loss(x, logits, mean, logvar, beta=beta)
        torch.autograd.backward([loss, z], [None, of_decoder])

    return count(step)


class Between:
    """A model without networks: what its encoder and decoder would have made is there."""

    def __init__(self, dtype: torch.dtype, shape: tuple[int, ...], batch: int) -> None:
        self.mean, self.logvar = (torch.randn(batch, 5).to(dtype) for _ in range(2))
        self.logits = torch.randn(batch, *shape).to(dtype)
        for leaf in (self.mean, self.logvar, self.logits):
            leaf.requires_grad_()
        self.q = DiagonalGaussian(self.mean, self.logvar, validate_args=False)
        self.p = StandardNormal((5,))
        self.of_x = Bernoulli(logits=self.logits, event_ndim=len(shape), validate_args=False)

    def infer(self, batch: Batch) -> tuple[DiagonalGaussian, StandardNormal]:
        return self.q, self.p

    def decode(self, z: Tensor) -> Bernoulli:
        self.z = z
        return self.of_x


def objective(
    dtype: torch.dtype,
    beta: float,
    shape: tuple[int, ...],
    batch: int,
    one: Tensor | None = None,
) -> dict[str, int]:
    """A step of the objective, the draw of its seed with it; one: the loss's incoming gradient."""
    model, elbo = Between(dtype, shape, batch), ELBO(beta)
    data, of_decoder = Batch(torch.rand(batch, *shape).to(dtype)), torch.randn(batch, 5).to(dtype)

    def step() -> None:
        for leaf in (model.mean, model.logvar, model.logits):
            leaf.grad = None
        loss = elbo.forward(model, data).loss
        torch.autograd.backward([loss, model.z], [one, of_decoder])

    return count(step)


def log_prob(likelihood: str, dtype: torch.dtype) -> dict:
    """Of a likelihood with several gradients, its backward alone."""
    x = torch.rand(4, 40)
    leaves = [torch.randn(4, 40).to(dtype).requires_grad_() for _ in range(2)]
    value = getattr(F, likelihood)(x, *leaves)
    before = executor_plugin.launches()
    torch.autograd.grad(value, leaves, torch.rand(4))
    return {"pyvae": executor_plugin.launches() - before}


def shared(rows: int, dtype: torch.dtype) -> dict[str, dict[str, int]]:
    """Of a likelihood with a parameter that all rows share: its forward, and its backward for the
    incoming gradient of a mean and for another one."""
    x, mean, zi = torch.rand(rows, 40).round(), torch.rand(rows, 40), torch.randn(rows, 40)
    leaves = [t.to(dtype).requires_grad_() for t in (mean, torch.rand(40), zi)]
    found = {}
    for what, weight in (("mean", -1 / rows), ("another", 1.0)):
        before = executor_plugin.launches()
        value = F.zero_inflated_negative_binomial_log_prob(x, *leaves)
        made = executor_plugin.launches()
        torch.autograd.grad(value, leaves, torch.full((rows,), weight))
        found["forward"] = {"pyvae": made - before}
        found[what] = {"pyvae": executor_plugin.launches() - made}
    return found


def main() -> None:
    executor_plugin.use(True)
    short, long = (40,), (2, 64, 65)
    found = {
        "float32": elbo(torch.float32, 1.0, short, 4),
        "float32, beta": elbo(torch.float32, torch.tensor(0.5), short, 4),
        "bfloat16": elbo(torch.bfloat16, 1.0, short, 4),
        "float32, 256 long rows": elbo(torch.float32, 1.0, long, 256),
        "float32, 4 long rows": elbo(torch.float32, 1.0, long, 4),
        "objective": objective(torch.float32, 1.0, short, 4),
        "objective, gradient given": objective(torch.float32, 1.0, short, 4, torch.ones(())),
        "objective, beta": objective(torch.float32, 0.5, short, 4),
        "objective, bfloat16": objective(torch.bfloat16, 1.0, short, 4),
        "objective, 256 long rows": objective(torch.float32, 1.0, long, 256),
        "two gradients scaled": log_prob("gaussian_log_prob", torch.float32),
        "two gradients made again": log_prob("gaussian_log_prob", torch.bfloat16),
        "shared": shared(64, torch.float32),
        "shared, bfloat16": shared(64, torch.bfloat16),
        "shared by few": shared(8, torch.float32),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
