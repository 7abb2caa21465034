"""Programs that were exported: with the ops, and without any."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pyvae import VAE
from pyvae import functional as F
from pyvae.export import decompositions
from pyvae.testing import CASES, outputs


class Call(nn.Module):
    """An op, as a module that takes the tensors among its inputs."""

    def __init__(self, case, inputs):
        super().__init__()
        self.case = case
        self.names = [name for name, value in inputs.items() if isinstance(value, torch.Tensor)]
        self.rest = {name: value for name, value in inputs.items() if name not in self.names}

    def forward(self, *tensors):
        return outputs(self.case({**dict(zip(self.names, tensors, strict=True)), **self.rest}))


def op_names(program):
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("case", CASES.values(), ids=lambda c: c.name)
def test_every_op_exports_and_decomposes(case):
    inputs = case.inputs()
    call = Call(case, inputs)
    tensors = tuple(inputs[name] for name in call.names)
    program = torch.export.export(call, tensors)
    assert any("pyvae" in name for name in op_names(program))
    plain = program.run_decompositions(decompositions())
    assert not any("pyvae" in name for name in op_names(plain))
    expected = call(*tensors)
    assert_close(program.module()(*tensors), expected)
    assert_close(plain.module()(*tensors), expected, rtol=1e-4, atol=1e-4)


class Encode(nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, x):
        q = self.vae.encode(x)
        return q.mean, q.logvar


class Decode(Encode):
    def forward(self, z):
        return self.vae.decode(z).mean


class Reconstruct(Encode):
    def forward(self, x):
        return self.vae(x)


class Sample(Encode):
    def forward(self, like):
        """As many new data as there are rows."""
        return self.vae.decode(self.vae.prior().sample(like.shape[:1])).mean


PARTS = {
    "encode": (Encode, (7, 6)),
    "decode": (Decode, (7, 2)),
    "reconstruct": (Reconstruct, (7, 6)),
    "sample": (Sample, (7, 1)),
}


def exported(part):
    kind, shape = PARTS[part]
    module = kind(VAE((6,), latent_dim=2).requires_grad_(False)).eval()
    given = torch.rand(shape)
    batch = ({0: torch.export.Dim("batch", min=2)},)
    program = torch.export.export(module, (given,), dynamic_shapes=batch)
    return module, program.run_decompositions(decompositions()), shape


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_of_a_model_at_any_batch(part):
    module, program, shape = exported(part)
    assert not any("pyvae" in name for name in op_names(program))
    given = torch.rand(11, *shape[1:])
    torch.manual_seed(0)
    ours = program.module()(given)
    torch.manual_seed(0)
    assert_close(ours, module(given))


@pytest.mark.parametrize("part", ["encode", "decode", "sample"])
def test_onnx_gives_what_the_model_gives(part, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module, program, shape = exported(part)
    file = tmp_path / "part.onnx"
    torch.onnx.export(program, f=file, dynamo=True)
    session = runtime.InferenceSession(file)
    given = torch.rand(11, *shape[1:])
    (name,) = (i.name for i in session.get_inputs())
    ours = session.run(None, {name: given.numpy()})
    expected = module(given)
    if part == "sample":  # with noise of its own
        assert [torch.from_numpy(mine).shape for mine in ours] == [expected.shape]
        return
    expected = expected if isinstance(expected, tuple) else (expected,)
    for mine, true in zip(ours, expected, strict=True):
        assert_close(torch.from_numpy(mine), true, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda c: c.name)
def test_every_op_is_traced_by_jit_at_any_batch(case):
    inputs = case.inputs(requires_grad=case.learned)
    call = Call(case, inputs)
    traced = torch.jit.trace(call, tuple(inputs[name] for name in call.names))
    batch = case.sizes.index("batch")
    sizes = [n + 2 * (i == batch) for i, n in enumerate(case.small)]
    larger = case.inputs(*sizes, requires_grad=case.learned)
    given, learned = ([larger[n] for n in names] for names in (call.names, case.learned))
    ours, expected = traced(*given), call(*given)
    assert_close(ours, expected)
    grads = [
        torch.autograd.grad(sum(v.sum() for v in values), learned) for values in (ours, expected)
    ]
    assert_close(*grads)


def test_a_traced_sample_is_another_each_time():
    mean = torch.zeros(5, 4)
    for sample in (
        lambda m: F.gaussian_rsample(m, m),
        lambda m: F.gaussian_rsample(m, m, sample_shape=(3,)),
        lambda m: F.gaussian_rsample_log_ratio(m, m, 3)[0],
    ):
        traced = torch.jit.trace(sample, mean, check_trace=False)
        first, again = traced(torch.zeros(7, 4)), traced(torch.zeros(7, 4))
        assert first.shape[-2:] == (7, 4) and not torch.equal(first, again)
