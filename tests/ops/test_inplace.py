"""inplace=True: the gradient takes the parameters' storage, and autograd sees any misuse."""

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, outputs

# The argument that is overwritten.
TARGET = {
    "bernoulli_log_prob": "logits",
    "gaussian_log_prob": "mean",
    "categorical_log_prob": "logits",
    "elbo_loss": "logits",
    "elbo_loss_gaussian": "decoded_mean",
}
every_op = pytest.mark.parametrize("name", TARGET)


class Layer(torch.autograd.Function):
    """Stands for the layer before: its output is new memory, its gradient goes through."""

    @staticmethod
    def forward(ctx, t):
        return t.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad


def prepare(name, *sizes, **options):
    case, target = CASES[name], TARGET[name]
    inputs = case.inputs(*sizes, requires_grad=case.learned, **options)
    leaf = inputs[target]
    return case, target, inputs, leaf, Layer.apply(leaf)


def run(case, inputs, target, t, **options):
    return outputs(case({**inputs, target: t}, **options))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, -0.25])
@every_op
def test_the_same_values_and_gradients(name, scale, dtype):
    for sizes in ((), (3, 257, 5), (129, 33, 2)):
        case, target, inputs, leaf, t = prepare(name, *sizes[: len(CASES[name].sizes)], dtype=dtype)
        leaves = [inputs[n] for n in case.learned]
        plain = run(case, inputs, target, Layer.apply(leaf))
        expected = torch.autograd.grad(plain, leaves, torch.full_like(plain, scale))
        value = run(case, inputs, target, t, inplace=True)
        assert_close(value, plain)
        assert_close(torch.autograd.grad(value, leaves, torch.full_like(value, scale)), expected)


@every_op
def test_the_storage_is_the_gradients(name):
    case, target, inputs, leaf, t = prepare(name)
    value = run(case, inputs, target, t, inplace=True)
    (grad,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    assert grad.data_ptr() == t.data_ptr()


@every_op
def test_a_leaf_is_never_overwritten(name):
    case, target, inputs, leaf, _ = prepare(name)
    with pytest.raises(ValueError, match=f"inplace=True would overwrite {target}, a leaf"):
        run(case, inputs, target, leaf, inplace=True)


@every_op
def test_another_use_raises(name):
    case, target, inputs, leaf, t = prepare(name)
    earlier = (t * t).sum()  # saved t
    value = run(case, inputs, target, t, inplace=True).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(earlier + value, leaf)

    case, target, inputs, leaf, t = prepare(name)
    value = run(case, inputs, target, t, inplace=True).sum()
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad(value + t.sum(), leaf)


@every_op
def test_a_second_backward_raises(name):
    case, target, inputs, leaf, t = prepare(name)
    value = run(case, inputs, target, t, inplace=True)
    weight = torch.full_like(value, 0.5)
    torch.autograd.grad(value, leaf, weight, retain_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(value, leaf, weight)


@every_op
def test_changing_the_overwritten_tensor_raises(name):
    case, target, inputs, leaf, t = prepare(name)
    value = run(case, inputs, target, t, inplace=True)
    with torch.no_grad():
        t.add_(1)
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad(value, leaf, torch.ones_like(value))


@every_op
def test_where_the_permission_is_ignored(name):
    case, target, inputs, leaf, t = prepare(name)
    before, expected = t.detach().clone(), run(case, inputs, target, leaf).detach()

    def untouched(value):
        assert_close(value.detach(), expected)
        assert torch.equal(t.detach(), before)

    with torch.no_grad():
        untouched(run(case, inputs, target, t, inplace=True))
        untouched(run(case, inputs, target, leaf, inplace=True))
    with torch.inference_mode():
        untouched(run(case, inputs, target, t, inplace=True))
    frozen = {n: v.detach() if torch.is_tensor(v) else v for n, v in inputs.items()}
    untouched(run(case, frozen, target, t.detach(), inplace=True))

    def scalar(v):
        return run(case, frozen, target, v * 1, inplace=True).sum()

    ours = torch.func.grad(scalar)(t.detach())
    assert_close(ours, torch.autograd.grad(run(case, frozen, target, leaf).sum(), leaf)[0])
    assert torch.equal(t.detach(), before)

    compiled = torch.compile(scalar, fullgraph=True, backend="aot_eager")
    (ours_compiled,) = torch.autograd.grad(compiled(leaf), leaf)
    assert_close(ours_compiled, ours)
    assert torch.equal(leaf.detach(), before)


@pytest.mark.parametrize("form", ["expanded", "view of a leaf's memory", "half"])
@every_op
def test_gradients_where_storage_cannot_be_shared(name, form):
    """Whatever is done, the value, the gradient and the leaf stay right."""
    dtype = torch.bfloat16 if form == "half" else torch.float32
    case, target, inputs, leaf, t = prepare(name, dtype=dtype)
    before = leaf.detach().clone()
    if form == "expanded":
        leaf = leaf.detach()[:1].clone().requires_grad_()
        before, t = leaf.detach().clone(), leaf.expand(5, *leaf.shape[1:])
    elif form == "view of a leaf's memory":
        t = leaf.view(leaf.shape)
    try:
        value = run(case, inputs, target, t, inplace=True)
    except (ValueError, RuntimeError):
        assert torch.equal(leaf.detach(), before)
        return
    (grad,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    again = leaf.detach().clone().requires_grad_()
    assert torch.equal(again.detach(), before), "the leaf was overwritten"
    plain = run(case, inputs, target, again.expand_as(t))
    assert_close(grad, torch.autograd.grad(plain, again, torch.ones_like(plain))[0])


def test_a_view_of_an_activation():
    """The flattened output of a decoder, and halves of one tensor."""
    x = torch.rand(5, 4)
    leaf = torch.randn(2, 5, 2, 2, requires_grad=True)

    def slopes(inplace):
        h = Layer.apply(leaf)
        bernoulli = F.bernoulli_log_prob(x, h[0].flatten(1), inplace=inplace)
        h = Layer.apply(leaf).flatten(2)
        gaussian = F.gaussian_log_prob(x, h[0], h[1], inplace=inplace)
        return torch.autograd.grad(bernoulli.sum() + 0.5 * gaussian.sum(), leaf)

    assert_close(slopes(True), slopes(False))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_one_tensor_in_several_places(likelihood):
    """Overwriting it must not change what is read from it afterwards, or be refused."""
    x, leaf = torch.rand(5, 4), torch.randn(5, 4, requires_grad=True)

    def loss(inplace):
        h = Layer.apply(leaf)
        return F.elbo_loss(x, h, h, h, likelihood=likelihood, inplace=inplace)

    expected = loss(False)
    try:
        value = loss(True)
    except (ValueError, RuntimeError):
        return
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, leaf), torch.autograd.grad(expected, leaf))
