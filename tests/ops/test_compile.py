"""torch.compile and torch.export take every op whole."""

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, outputs
from pyvae.testing.sweep.compiling import *  # noqa: F403
from pyvae.testing.sweep.compiling import fresh


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    with fresh():
        yield


def everything(inputs):
    return {name: outputs(case(inputs[name])) for name, case in CASES.items()}


def all_inputs(*, bump=0, dtype=torch.float32):
    return {
        name: case.inputs(*(s + bump for s in case.small), dtype=dtype, requires_grad=case.learned)
        for name, case in CASES.items()
    }


def slopes(results, inputs):
    flat = [r for rs in results.values() for r in rs]
    leaves = [inputs[name][n] for name, case in CASES.items() for n in case.learned]
    return torch.autograd.grad(flat, leaves, [torch.ones_like(r) for r in flat])


@pytest.mark.parametrize(
    "backend, dtype", [("inductor", torch.float32), ("aot_eager", torch.bfloat16)]
)
def test_all_ops_in_one_graph(backend, dtype):
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(everything, fullgraph=True, backend=counter)
    inputs = all_inputs(dtype=dtype)
    ours, eager = compiled(inputs), everything(inputs)
    assert counter.frame_count == 1
    assert_close(ours, eager)
    assert_close(slopes(ours, inputs), slopes(eager, inputs))


def test_any_size_without_compiling_again():
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(everything, fullgraph=True, dynamic=True, backend=counter)
    for bump in (0, 3, 8):
        inputs = all_inputs(bump=bump)
        ours, eager = compiled(inputs), everything(inputs)
        assert_close(ours, eager)
        assert_close(slopes(ours, inputs), slopes(eager, inputs))
    assert counter.frame_count == 1


@pytest.mark.parametrize("kind", ["tensor", "number"])
def test_another_beta_without_compiling_again(kind):
    counter = CompileCounterWithBackend("aot_eager")
    inputs = CASES["elbo_loss"].inputs(requires_grad=("logits", "mean"))
    inputs.pop("beta")

    @torch.compile(fullgraph=True, backend=counter)
    def loss(inputs, beta):
        return F.elbo_loss(
            inputs["x"], inputs["logits"], inputs["mean"], inputs["logvar"], beta=beta
        )

    counts = []
    for beta in (0.1, 0.2, 0.3, 0.4, 0.5):
        given = torch.tensor(beta) if kind == "tensor" else beta
        value = loss(inputs, given)
        expected = F.elbo_loss(
            inputs["x"], inputs["logits"], inputs["mean"], inputs["logvar"], beta=beta
        )
        assert_close(value, expected)
        counts.append(counter.frame_count)
    # A number may be specialized once before torch.compile learns that it changes.
    assert counts[-1] == counts[1] <= (1 if kind == "tensor" else 2)


def test_noise_under_compile():
    def draw(mean, seed=None, generator=None):
        return F.gaussian_rsample(mean, mean, seed=seed, generator=generator)

    compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")
    mean = torch.zeros(4, 5)
    seed = torch.tensor(3)
    assert torch.equal(compiled(mean, seed), draw(mean, seed))
    assert not torch.equal(compiled(mean), compiled(mean))
    with pytest.raises(Exception, match=r"gaussian_rsample: .*explicit generator.*seed="):
        compiled(mean, generator=torch.Generator())


def test_functional_transforms_inside_compile():
    def per_sample(x, logits):
        one = lambda x, l: F.bernoulli_log_prob(x[None], l[None]).sum()  # noqa: E731, E741
        return torch.func.vmap(torch.func.grad(one, 1))(x, logits)

    x, logits = torch.rand(3, 5), torch.randn(3, 5)
    compiled = torch.compile(per_sample, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x, logits), x - torch.sigmoid(logits))


class Everything(torch.nn.Module):
    def forward(self, x, logits, mean, logvar, seed):
        z, kl = F.gaussian_rsample_kl(mean, logvar, seed=seed)
        many = F.gaussian_rsample(mean, logvar, sample_shape=(2,), seed=seed)
        loss = F.elbo_loss(x, logits, mean, logvar, beta=0.5)
        return z, kl, many, loss, F.bernoulli_log_prob(x, logits), F.gaussian_log_prob(z, mean)


def test_export():
    inputs = {n: t for n, t in CASES["elbo_loss"].inputs().items() if n != "beta"}
    inputs["seed"] = torch.tensor(5)
    batch = torch.export.Dim("batch", min=2)
    shapes = {n: {0: batch} if t.ndim else {} for n, t in inputs.items()}
    program = torch.export.export(Everything(), (), inputs, dynamic_shapes=shapes)
    targets = {str(n.target) for n in program.graph.nodes if n.op == "call_function"}
    assert any("pyvae.gaussian_rsample_kl" in t for t in targets)
    bigger = {n: torch.cat([t, t + 0.1]) if t.ndim else t for n, t in inputs.items()}
    assert_close(program.module()(**bigger), Everything()(**bigger))
