"""Every op equals its specification in float64, in every dtype and mixture of dtypes."""

import math

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, TOLERANCE, differentiate, in_float64, outputs

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
BLOCKS = [(), (3, 64, 64), (2, 133, 131), (1, 1, 1)]  # numbers of elements around vectors and tails

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d).split(".")[1])


def agree(actual, expected, what, precision=None):
    """To the precision of the dtype that ``actual`` is kept in."""
    rtol, atol = TOLERANCE[precision or actual.dtype]
    scale = max(4.0, expected.abs().max().item()) if expected.numel() else 1.0
    assert actual.shape == expected.shape, what
    assert_close(
        actual.double(), expected, rtol=rtol, atol=atol * scale, msg=lambda m: f"{what}: {m}"
    )


def check(case, inputs, precision=None):
    """Values and gradients against the specification in float64, and the dtypes of both."""
    wanted, exact = case.differentiable, in_float64(inputs)
    values, grads = differentiate(case, inputs, wanted)
    true_values, true_grads = differentiate(case.specification, exact, wanted)
    for k, (value, truth) in enumerate(zip(values, true_values, strict=True)):
        agree(value, truth, f"{case.name} result {k}", precision)
    for name in wanted:
        assert grads[name].dtype == inputs[name].dtype, name
        coarse = precision if inputs[name].dtype == torch.float64 else None
        agree(grads[name], true_grads[name], f"{case.name} grad {name}", coarse)


@every_dtype
@every_case
def test_values_and_gradients_equal_the_specification(case, dtype):
    for instance, sizes in enumerate(BLOCKS):
        sizes = sizes[: len(case.sizes)]
        check(
            case,
            case.inputs(*sizes, dtype=dtype, requires_grad=case.differentiable, instance=instance),
        )


@pytest.mark.parametrize("turn", range(4))
@every_case
def test_mixed_dtypes(case, turn):
    inputs = case.inputs()
    floats = [name for name, t in inputs.items() if torch.is_tensor(t) and t.is_floating_point()]
    for i, name in enumerate(floats):
        dtype = DTYPES[(i + turn) % 4]
        inputs[name] = inputs[name].detach().to(dtype).requires_grad_(name in case.differentiable)
    # A loss of two densities computes each in the precision of its own operands.
    check(case, inputs, torch.float32 if "elbo_loss" in case.native else None)


@every_dtype
@every_case
def test_dtypes_of_the_results(case, dtype):
    inputs = case.inputs(dtype=dtype)
    for result in outputs(case(inputs)):
        is_sample = "seed" in inputs and result.shape[-1:] == case.small[-1:]
        assert result.dtype == (dtype if is_sample else torch.promote_types(dtype, torch.float32))


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8])
@pytest.mark.parametrize(
    "name",
    [c.name for c in CASES.values() if "x" in c.differentiable and not c.levels and not c.images],
)
def test_binary_data_are_numbers(name, kind, request):
    case = CASES[name]
    learned = case.inputs(requires_grad=case.learned)
    bits = learned["x"] > 0.5
    whole = differentiate(case, {**learned, "x": bits.float()}, case.learned)
    small = differentiate(case, {**learned, "x": bits.to(kind)}, case.learned)
    # CUDA kernels make the gradients in the forward here and in the backward there: the incoming
    # gradient is multiplied in before or after a rounding.
    exact = not request.config.pluginmanager.hasplugin("executor_plugin")
    assert_close(small, whole, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-7)


def test_bytes_are_not_only_bits():
    x, mean = torch.tensor([[0, 7, 255]], dtype=torch.uint8), torch.zeros(1, 3)
    assert_close(F.gaussian_log_prob(x, mean), F.gaussian_log_prob(x.float(), mean))


def test_numbers_stand_for_tensors():
    x, mean, logvar = torch.randn(3, 4, 5).unbind()
    for number in (0.0, -1.5, 2):
        assert_close(
            F.gaussian_log_prob(x, mean, number),
            F.gaussian_log_prob(x, mean, torch.tensor(float(number))),
        )
        assert_close(
            F.elbo_loss(x, (mean, number), mean, logvar, likelihood="gaussian", beta=number),
            F.elbo_loss(
                x,
                (mean, torch.tensor(float(number))),
                mean,
                logvar,
                likelihood="gaussian",
                beta=torch.tensor(float(number)),
            ),
        )
    default = F.elbo_loss(x, mean, mean, logvar, likelihood="gaussian")
    assert_close(default, F.elbo_loss(x, (mean, 0.0), mean, logvar, likelihood="gaussian"))


@pytest.mark.parametrize("batch_ndim", range(4))
def test_batch_ndim_keeps_leading_dimensions(batch_ndim):
    x, mean, logvar = torch.rand(3, 2, 3, 5, dtype=torch.float64).unbind()
    batch, event = x.shape[:batch_ndim], math.prod(x.shape[batch_ndim:])
    for op, elements in {
        F.gaussian_log_prob: (x, mean, logvar),
        F.bernoulli_log_prob: (x, mean),
        F.gaussian_kl: (mean, logvar, x, x.neg()),
    }.items():
        whole = op(*elements, batch_ndim=batch_ndim)
        assert whole.shape == batch
        one_by_one = op(*elements, batch_ndim=3).reshape(*batch, event)
        assert_close(whole, one_by_one.sum(-1))
    z, kl = F.gaussian_rsample_kl(mean, logvar, batch_ndim=batch_ndim)
    assert z.shape == x.shape
    assert_close(kl, F.gaussian_kl(mean, logvar, batch_ndim=batch_ndim))


@pytest.mark.parametrize("sample_shape", [(), (0,), (1,), (3,), (2, 3)], ids=str)
def test_samples_of_any_shape(sample_shape):
    mean, logvar, seed = torch.randn(4, 5), torch.randn(5), torch.tensor(3)
    z = F.gaussian_rsample(mean, logvar, sample_shape=sample_shape, seed=seed)
    assert z.shape == (*sample_shape, 4, 5)
    expanded = mean.expand(*sample_shape, 4, 5)
    assert torch.equal(z, F.gaussian_rsample(expanded, logvar, seed=seed))
