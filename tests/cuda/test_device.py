"""The ops on a GPU: the CPU's results, its noise, and what CUDA asks of an op."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, differentiate, disagreement, in_float64, outputs
from pyvae.testing.case import TOLERANCE

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d).split(".")[1])


@pytest.fixture(scope="module", autouse=True)
def kernels():
    from pyvae import _build

    if not _build.cuda:
        pytest.skip("this build has no CUDA kernels")


def on_cuda(inputs):
    """The same inputs on the device, as leaves."""
    return {
        name: value.detach().cuda().requires_grad_(value.requires_grad)
        if torch.is_tensor(value)
        else value
        for name, value in inputs.items()
    }


def agree(actual, expected, what):
    """To the precision of the dtype; a few of a million may lie on the other side of a cliff."""
    assert actual.is_cuda, what
    assert not (found := disagreement(actual, expected)), f"{what}: {found}"


def large(case, instance=0):
    """Sizes of many blocks: of short rows, and of few long ones."""
    sizes = {"samples": 3, "batch": 300, "event": 777, "latent": 132, "classes": 33}
    if instance:
        sizes |= {"batch": 2, "event": 40_001, "latent": 20_003, "classes": 9}
    if case.paired:
        sizes = {"components": 130, "batch": 150, "latent": 67}
    return tuple(sizes[name] for name in case.sizes)


@every_dtype
@every_case
def test_values_and_gradients_agree_with_the_cpu(case, dtype):
    blocks = [case.small, large(case), large(case, 1)]
    for instance, sizes in enumerate(blocks):
        if case.images and instance == 2:
            continue
        inputs = case.inputs(
            *sizes, dtype=dtype, requires_grad=case.differentiable, instance=instance
        )
        exact = in_float64(inputs)
        truth, true_grads = differentiate(case.specification, exact, case.differentiable)
        values, grads = differentiate(case, on_cuda(inputs), case.differentiable)
        for value, wanted in zip(values, truth, strict=True):
            agree(value, wanted, f"{case.name} {sizes}")
        for name in case.differentiable:
            agree(grads[name], true_grads[name], f"{case.name} {sizes} grad {name}")


@every_case
def test_results_are_the_same_in_every_run(case):
    inputs = on_cuda(case.inputs(*large(case), requires_grad=case.differentiable))
    first = differentiate(case, inputs, case.differentiable)
    for _ in range(3):
        again = differentiate(case, inputs, case.differentiable)
        for a, b in zip(first[0], again[0], strict=True):
            assert torch.equal(a, b)
        for name in case.differentiable:
            assert torch.equal(first[1][name], again[1][name])


@every_case
def test_inputs_can_be_drawn_on_the_device(case):
    inputs = case.inputs(device="cuda", drawn_on="cuda", requires_grad=case.differentiable)
    assert all(value.is_cuda for value in inputs.values() if torch.is_tensor(value))
    values, _ = differentiate(case, inputs, case.differentiable)
    assert all(value.isfinite().all() for value in values)


@pytest.mark.parametrize(
    "shape", [(1,), (3, 1), (5, 3), (3, 784), (11, 4097), (2, 3, 5, 7)], ids=str
)
@every_dtype
def test_the_noise_is_that_of_the_cpu(shape, dtype):
    seed, zero = torch.tensor(-(2**62) + 12345), torch.zeros((), dtype=dtype).expand(shape)
    ours = F.gaussian_rsample(zero.cuda(), zero.cuda(), seed=seed.cuda())
    theirs = F.gaussian_rsample(zero, zero, seed=seed)
    rtol, atol = TOLERANCE[dtype] if dtype != torch.float64 else (1e-12, 1e-12)
    assert_close(ours.cpu(), theirs, rtol=rtol, atol=atol)


@every_case
def test_strides_and_offsets(case):
    """Odd offsets, steps and transposed storage: nothing may rely on aligned rows."""
    inputs = case.inputs(requires_grad=case.differentiable)
    plain = differentiate(case, on_cuda(inputs), case.differentiable)

    def odd(t):
        if not t.ndim or not t.is_floating_point():
            return t
        room = t.new_zeros(*t.shape[:-1], 2 * t.shape[-1] + 1)
        room[..., 1::2] = t
        return room[..., 1::2]

    moved = {n: odd(t.detach().cuda()) if torch.is_tensor(t) else t for n, t in inputs.items()}
    moved = {n: t.requires_grad_() if n in case.differentiable else t for n, t in moved.items()}
    values, grads = differentiate(case, moved, case.differentiable)
    assert_close(values, plain[0], rtol=1e-5, atol=1e-5)
    assert_close(grads, plain[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "case", [c for c in CASES.values() if not c.stops_gradient], ids=lambda c: c.name
)
def test_gradcheck(case):
    inputs = on_cuda(case.inputs(dtype=torch.float64, requires_grad=case.differentiable))
    wanted = case.learned
    leaves = [inputs[name] for name in wanted]

    def function(*tensors):
        return case({**inputs, **dict(zip(wanted, tensors, strict=True))})

    assert torch.autograd.gradcheck(function, leaves)


@every_case
def test_opcheck(case):
    inputs = on_cuda(case.inputs(requires_grad=case.differentiable))
    op = case.op.default
    torch.library.opcheck(op, case.arguments(inputs))


@every_case
def test_a_graph_replays(case):
    inputs = on_cuda(case.inputs(*large(case), requires_grad=case.differentiable))

    incoming = [torch.randn_like(r) for r in outputs(case(inputs))]

    def recorded():
        results = outputs(case(inputs))
        leaves = [inputs[name] for name in case.differentiable]
        return (*results, *torch.autograd.grad(results, leaves, incoming))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        recorded()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = recorded()
    changed = on_cuda(case.inputs(*large(case), instance=5))
    with torch.no_grad():
        for name, value in inputs.items():
            if torch.is_tensor(value):
                value.copy_(changed[name])
    graph.replay()
    for a, b in zip(captured, recorded(), strict=True):
        assert torch.equal(a, b)


def test_compile_with_cuda_graphs():
    mean, logvar = torch.randn(2, 64, 20, device="cuda").unbind()
    x, logits = torch.rand(64, 784, device="cuda"), torch.randn(64, 784, device="cuda")

    def loss(x, logits, mean, logvar):
        z, kl = F.gaussian_rsample_kl(
            mean, logvar, seed=torch.zeros((), dtype=torch.int64, device="cuda")
        )
        return z.sum() + kl.sum() + F.elbo_loss(x, logits, mean, logvar)

    compiled = torch.compile(loss, mode="reduce-overhead", fullgraph=True)
    for _ in range(3):
        leaf = logits.clone().requires_grad_()
        value = compiled(x, leaf, mean, logvar)
        value.backward()
        truth = logits.clone().requires_grad_()
        expected = loss(x, truth, mean, logvar)
        expected.backward()
        assert_close(value, expected)
        assert_close(leaf.grad, truth.grad)


def test_a_side_stream():
    """Work of a stream is ordered after what that stream did before."""
    stream = torch.cuda.Stream()
    logits = torch.zeros(4096, 784, device="cuda")
    x = torch.ones(4096, 784, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        logits.fill_(3.0)
        value = F.bernoulli_log_prob(x, logits)
    stream.synchronize()
    expected = F.bernoulli_log_prob(torch.ones(1, 784), torch.full((1, 784), 3.0))
    assert_close(value.cpu(), expected.expand(4096), rtol=1e-5, atol=1e-4)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two devices")
def test_another_device_than_the_current_one():
    x, mean = torch.randn(2, 8, 33, device="cuda:1").unbind()
    value = F.gaussian_log_prob(x, mean.requires_grad_())
    value.sum().backward()
    assert value.device.index == mean.grad.device.index == 1
    assert torch.cuda.current_device() == 0
    assert_close(value.cpu(), F.gaussian_log_prob(x.cpu(), mean.detach().cpu()))


def test_autocast_and_grad_scaler():
    torch.manual_seed(0)
    encoder, decoder = torch.nn.Linear(784, 40).cuda(), torch.nn.Linear(20, 784).cuda()
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer, scaler = torch.optim.SGD(parameters, lr=1e-3), torch.amp.GradScaler("cuda")
    x = torch.rand(32, 784, device="cuda")
    before = [p.detach().clone() for p in parameters]
    with torch.autocast("cuda", dtype=torch.float16):
        mean, logvar = encoder(x).chunk(2, -1)
        loss = F.elbo_loss(x, decoder(F.gaussian_rsample(mean, logvar)), mean, logvar)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert loss.isfinite()
    assert all(
        p.isfinite().all() and not torch.equal(p, b)
        for p, b in zip(parameters, before, strict=True)
    )


@every_case
def test_nothing_waits_for_the_device(case):
    inputs = on_cuda(case.inputs(requires_grad=case.differentiable))
    differentiate(case, inputs, case.differentiable)
    incoming = [torch.ones_like(r) for r in outputs(case(inputs))]
    leaves = [inputs[name] for name in case.differentiable]
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.autograd.grad(outputs(case(inputs)), leaves, incoming)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_tensors_of_two_devices():
    x, logits = torch.rand(3, 5, device="cuda"), torch.randn(3, 5)
    with pytest.raises((ValueError, RuntimeError), match="device"):
        F.bernoulli_log_prob(x, logits)
    assert F.bernoulli_log_prob(x, logits.cuda()).isfinite().all()


def test_out_of_memory_leaves_the_process_usable():
    free, _ = torch.cuda.mem_get_info()
    row = torch.zeros(1, device="cuda")
    huge = row.expand(free // 2)  # as many numbers as there are bytes, and half
    with pytest.raises(torch.cuda.OutOfMemoryError):
        F.gaussian_rsample(huge, huge)
    z = F.gaussian_rsample(torch.zeros(5, device="cuda"), torch.zeros(5, device="cuda"))
    assert z.isfinite().all()


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (2, 0, 3)], ids=str)
def test_empty_tensors(shape):
    x = torch.zeros(shape, device="cuda", requires_grad=True)
    value = F.gaussian_log_prob(x, x)
    value.sum().backward()
    assert value.shape == shape[:1]
    assert x.grad.shape == shape
