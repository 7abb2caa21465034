"""Any layout gives the values of the contiguous one, and any incoming gradient will do."""

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, differentiate, outputs

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def chunked(t):
    return torch.cat([t, t + 1], -1).chunk(2, -1)[0]


def padded(t):
    return torch.nn.functional.pad(t, (2, 3))[..., 2:-3]


def transposed(t):
    return t.mT.contiguous().mT if t.ndim > 1 else t.clone()


def strided(t):
    return t.repeat_interleave(2, -1)[..., ::2]


LAYOUTS = [chunked, padded, transposed, strided]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
@every_case
def test_strided_operands(case, layout, dtype):
    sizes = (2, 7, 65)[-len(case.sizes) :]
    names = [n for n, t in case.inputs().items() if torch.is_tensor(t) and t.ndim and n != "seed"]
    plain = case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable)
    expected = differentiate(case, plain, case.differentiable)
    for some in (names, *([name] for name in names)):

        def laid(inputs, some=some):
            return case({**inputs, **{name: layout(inputs[name]) for name in some}})

        assert_close(differentiate(laid, plain, case.differentiable), expected)


@every_case
def test_leaves_that_are_not_contiguous(case):
    """The gradient then is written straight into the layout of its argument."""
    plain = case.inputs(requires_grad=case.differentiable)
    laid = {
        n: transposed(t.detach()).requires_grad_(t.requires_grad)
        if torch.is_tensor(t) and t.ndim == 2
        else t
        for n, t in plain.items()
    }
    expected, actual = (differentiate(case, i, case.differentiable) for i in (plain, laid))
    assert_close(actual, expected)


def images(layouts):
    x, mean, logvar = torch.rand(3, 2, 3, 5, 6).unbind()
    made = [
        t.contiguous(memory_format=torch.channels_last) if last else t
        for t, last in zip((x, mean, logvar), layouts, strict=True)
    ]
    return [t.clone(memory_format=torch.preserve_format).requires_grad_() for t in made]


@pytest.mark.parametrize(
    "layouts", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)], ids=str
)
def test_channels_last_beside_nchw(layouts):
    given = images(layouts)
    plain = [t.detach().contiguous().requires_grad_() for t in given]
    for function in (
        F.gaussian_log_prob,
        lambda x, m, v: F.bernoulli_log_prob(x, m + v),
        lambda x, m, v: F.gaussian_kl(x, m, v, m + v),
        lambda x, m, v: F.gaussian_rsample_kl(m, v, seed=torch.tensor(3))[0] * x,
        lambda x, m, v: F.gaussian_rsample(m, v, sample_shape=(2,), seed=torch.tensor(3)) * x,
        lambda x, m, v: F.elbo_loss(x, m, m, v),
        lambda x, m, v: F.elbo_loss(x, (m, v), m, v, likelihood="gaussian", reduction="none"),
    ):
        ours, expected = function(*given), function(*plain)
        assert_close(ours, expected)
        grads = torch.autograd.grad(ours.sum(), given, allow_unused=True)
        assert_close(grads, torch.autograd.grad(expected.sum(), plain, allow_unused=True))


@pytest.mark.parametrize(
    "shape", [(3, 1, 1), (1, 1), (5, 1), (6,), (1, 5, 6), (4, 1, 1, 1)], ids=str
)
@pytest.mark.parametrize("last", [False, True])
def test_a_variance_for_each_channel_row_or_sample(shape, last):
    x, mean = torch.rand(2, 4, 3, 5, 6).unbind()
    if last:
        mean = mean.contiguous(memory_format=torch.channels_last)
    logvar = torch.randn(shape, requires_grad=True)
    mean.requires_grad_()
    (ours, grads), (full, full_grads) = (
        (v := F.gaussian_log_prob(x, mean, s), torch.autograd.grad(v.sum(), [mean, logvar]))
        for s in (logvar, logvar.expand(4, 3, 5, 6))
    )
    assert_close(ours, full)
    assert_close(grads, full_grads)


@pytest.mark.parametrize("name", ["x", "mean", "logvar"])
def test_operands_expanded_in_memory(name):
    inputs = CASES["gaussian_log_prob"].inputs(6, 7)
    for row in (inputs[name][:1].expand(6, 7), inputs[name][:, :1].expand(6, 7)):
        expanded = {**inputs, name: row}
        copied = {**inputs, name: row.clone()}
        leaves = {k: v.clone().requires_grad_() for k, v in copied.items()}
        small = row[:1] if row.stride(0) == 0 else row[:, :1]
        leaf = small.clone().requires_grad_()
        assert_close(F.gaussian_log_prob(**expanded), F.gaussian_log_prob(**copied))
        ours = F.gaussian_log_prob(**{**expanded, name: leaf.expand(6, 7)})
        (grad,) = torch.autograd.grad(ours.sum(), leaf)
        (full,) = torch.autograd.grad(F.gaussian_log_prob(**leaves).sum(), leaves[name])
        assert_close(grad, full.sum_to_size(leaf.shape))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("case", [c for c in CASES.values() if not c.paired], ids=lambda c: c.name)
def test_empty_batches_and_events(case, shape):
    if case.images:
        pytest.skip("data and parameters differ in shape: tests/ops/test_logistic_mixture.py")
    plain = case.inputs()
    inputs = {
        n: t.new_zeros((*shape, *t.shape[2:])) if torch.is_tensor(t) and t.ndim else t
        for n, t in plain.items()
    }
    inputs = {n: t.requires_grad_() if n in case.differentiable else t for n, t in inputs.items()}
    values, grads = differentiate(case, inputs, case.differentiable)
    truth, true_grads = differentiate(case.specification, inputs, case.differentiable)
    assert_close(values, truth, equal_nan=True)
    assert_close(grads, true_grads, equal_nan=True)
    if shape[0] == 0 and "elbo" in case.name:
        assert outputs(case(inputs, reduction="none"))[0].shape == (0,)
        assert outputs(case(inputs, reduction="sum"))[0] == 0


def test_numbers_without_a_batch():
    x, mean, logvar = torch.rand(3, dtype=torch.float64).requires_grad_().unbind()
    one = [t.reshape(1, 1) for t in (x, mean, logvar)]
    for function, n in [(F.gaussian_log_prob, 3), (F.bernoulli_log_prob, 2), (F.gaussian_kl, 2)]:
        value = function(*(x, mean, logvar)[:n], batch_ndim=0)
        assert value.shape == ()
        assert_close(value, function(*one[:n])[0])
    z, kl = F.gaussian_rsample_kl(mean, logvar, batch_ndim=0, seed=torch.tensor(1))
    assert z.shape == kl.shape == ()
    assert_close(z, F.gaussian_rsample(mean, logvar, seed=torch.tensor(1)))


def count(r):
    return torch.arange(1.0, r.numel() + 1).to(r)


INCOMING = {
    "expanded": lambda r: torch.ones(()).to(r).expand_as(r),
    "expanded, not one": lambda r: torch.full((), 0.3).to(r).expand_as(r),
    "strided": lambda r: count(r).repeat_interleave(2)[::2].reshape(r.shape),
    "transposed": lambda r: count(r).reshape(r.shape[::-1]).permute(tuple(range(r.ndim))[::-1]),
    "row of one": lambda r: (
        count(r.flatten()[: r.shape[-1] if r.ndim else 1]).expand(r.shape)
        if r.ndim
        else count(r).reshape(())
    ),
}


@pytest.mark.parametrize("incoming", INCOMING)
@every_case
def test_incoming_gradients_of_any_layout(case, incoming):
    for wanted in (case.differentiable, case.learned):
        inputs = case.inputs(requires_grad=wanted)
        leaves = [inputs[name] for name in wanted]
        ours, truth = outputs(case(inputs)), outputs(case.specification(inputs))
        grads = [INCOMING[incoming](r) for r in ours]
        assert_close(
            torch.autograd.grad(ours, leaves, grads),
            torch.autograd.grad(truth, leaves, grads),
            rtol=1e-5,
            atol=1e-4,
        )


@pytest.mark.parametrize(
    "case", [c for c in CASES.values() if len(outputs(c(c.inputs()))) > 1], ids=lambda c: c.name
)
def test_only_one_result_is_used(case):
    inputs = case.inputs(requires_grad=case.differentiable)
    leaves = [inputs[name] for name in case.differentiable]
    for k, truth in enumerate(outputs(case.specification(inputs))):
        ours = outputs(case(inputs))[k]
        weight = torch.randn_like(ours)
        assert_close(
            torch.autograd.grad(ours, leaves, weight),
            torch.autograd.grad(truth, leaves, weight, retain_graph=True, materialize_grads=True),
        )
