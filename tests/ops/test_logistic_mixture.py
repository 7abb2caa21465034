"""Mixtures of discretized logistics: what the sweeps over all ops cannot say."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.testing import assert_close

from pyvae import reference
from pyvae.functional import discretized_logistic_mixture_log_prob as log_prob

F64 = torch.float64
LEVELS = torch.arange(256, dtype=torch.uint8)
SCALES = [-7.0, -5.5, -4.0, -2.0, 0.0, 2.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0, dtype=F64):
    return torch.randn(shape, dtype=F64, generator=generator(seed)).to(dtype)


def levels(*shape, seed=0):
    return torch.randint(-20, 276, shape, generator=generator(seed)).clamp(0, 255).to(torch.uint8)


def pixels(*parameters):
    """One pixel for each entry: parameters as planes (n, planes, 1, 1)."""
    return torch.stack(torch.broadcast_tensors(*parameters), -1)[..., None, None]


def grey(channels=1, components=2, shape=(4, 5), seed=0, dtype=F64, batch=(3,)):
    """Data and parameters of moderate size."""
    planes = (10 if channels == 3 else 3) * components
    params = randn(*batch, planes, *shape, seed=seed, dtype=dtype)
    return levels(*batch, channels, *shape, seed=seed), params


def colour(**how):
    return grey(channels=3, **how)


# the density
@pytest.mark.parametrize("log_scale", SCALES)
@pytest.mark.parametrize("dtype, atol", [(F64, 1e-12), (torch.float32, 4e-5)])
def test_the_256_levels_sum_to_one(log_scale, dtype, atol):
    mean = torch.linspace(-1.5, 1.5, 101, dtype=dtype)
    zero = torch.zeros((), dtype=dtype)
    params = pixels(zero, mean, zero + log_scale)
    mass = log_prob(LEVELS.view(256, 1, 1, 1, 1), params, 1, batch_ndim=2).exp()
    assert mass.shape == (256, 101)
    assert_close(mass.sum(0), torch.ones_like(mean), rtol=0, atol=atol)


@pytest.mark.parametrize("log_scale", SCALES)
@pytest.mark.parametrize("mean", [-1.0, 1.0])
def test_a_mean_in_the_middle_of_an_edge_bin_moves_no_mass(mean, log_scale):
    """The levels sum to one, so that the gradients of their sum are 0, there too."""
    params = pixels(*torch.tensor([[0.0], [mean], [log_scale]], dtype=F64)).requires_grad_()
    mass = log_prob(LEVELS.view(256, 1, 1, 1, 1), params, 1, batch_ndim=2).exp()
    (grad,) = torch.autograd.grad(mass.sum(), params)
    assert_close(grad, torch.zeros_like(grad), rtol=0, atol=1e-9)


def test_a_mixture_of_two_sums_to_one():
    logits, means, scales = randn(3, 40, 2)
    params = pixels(*logits.T, *means.T, *(scales - 2).T)
    mass = log_prob(LEVELS.view(256, 1, 1, 1, 1), params, 2, batch_ndim=2).exp()
    assert_close(mass.sum(0), torch.ones(40, dtype=F64))


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("part", ["logits", "the rest", "all", "one component"])
def test_parameters_that_are_no_numbers_have_no_likelihood(components, part):
    """NaN, not the -inf of what no component can have made."""
    x, params = grey(components=components)
    nan = {
        "logits": slice(0, components),
        "the rest": slice(components, None),
        "all": slice(None),
        "one component": slice(0, None, components),
    }[part]
    params[0, nan] = math.nan
    value = log_prob(x, params.requires_grad_(), components)
    assert value.isnan().tolist() == [True, False, False]
    (grad,) = torch.autograd.grad(value.sum(), params)
    assert grad[0].isnan().all() and grad[1:].isfinite().all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_as_many_components_as_there_may_be(channels, dtype):
    x, params = grey(channels, components=100, shape=(5, 9), batch=(2,), dtype=dtype)
    results = []
    for op, p in (
        (log_prob, params),
        (reference.discretized_logistic_mixture_log_prob, params.double()),
    ):
        p = p.clone().requires_grad_()
        value = op(x, p, 100)
        results.append((value, *torch.autograd.grad(-value.mean(), p)))
    tolerance = 1e-10 if dtype == F64 else 2e-5
    for ours, exact in zip(*results, strict=True):
        assert_close(
            ours.double(), exact, rtol=tolerance, atol=tolerance * float(exact.abs().max())
        )


def test_green_and_blue_sum_to_the_marginal_of_red():
    """sum over g and b of p(r, g, b) is p(r), the mixture of red alone."""
    params = randn(20, 1, 1)
    params[[4, 5, 10, 11, 16, 17]] -= 2  # log-scales
    for red in (0, 17, 128, 255):
        pairs = torch.cartesian_prod(LEVELS, LEVELS)
        x = torch.cat([torch.full((len(pairs), 1), red, dtype=torch.uint8), pairs], 1)
        joint = log_prob(x[..., None, None], params, 2).exp().reshape(256, 256)
        # the conditional of blue, given red and green, sums to one
        of_green = joint.sum(1)
        assert_close((joint / of_green[:, None]).sum(1), torch.ones(256, dtype=F64))
        alone = log_prob(torch.full((1, 1, 1, 1), red, dtype=torch.uint8), params[:6], 2).exp()
        assert_close(of_green.sum(), alone[0])


def test_the_coefficients_follow_pixelcnn():
    """Red's coefficient is that of red for green, green's and blue's those of both for blue."""
    x, params = colour(components=1, shape=(1, 1), batch=(6,))
    red, green, _ = (x[:, :, 0, 0] * (2 / 255) - 1).double().unbind(1)
    k = torch.tanh(params[:, [3, 6, 9], 0, 0])
    moved = params.clone()
    moved[:, 4, 0, 0] += k[:, 0] * red
    moved[:, 7, 0, 0] += k[:, 1] * red + k[:, 2] * green
    parts = [
        log_prob(x[:, c : c + 1], torch.cat([params[:, :1], moved[:, 3 * c + 1 : 3 * c + 3]], 1), 1)
        for c in range(3)
    ]
    assert_close(log_prob(x, params, 1), sum(parts))


@pytest.mark.parametrize("log_scale", SCALES)
def test_one_component_is_the_difference_of_two_sigmoids(log_scale):
    x = LEVELS.view(256, 1, 1, 1)
    centre = x.flatten().double() * (2 / 255) - 1
    for mean in (-1.2, 0.1, 0.9):
        scale = math.exp(log_scale)
        upper = torch.sigmoid((centre + 1 / 255 - mean) / scale)
        lower = torch.sigmoid((centre - 1 / 255 - mean) / scale)
        upper[255], lower[0] = 1, 0
        params = torch.tensor([3.0, mean, log_scale], dtype=F64).view(3, 1, 1)
        assert_close(log_prob(x, params, 1).exp(), upper - lower, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dtype, rtol", [(F64, 1e-12), (torch.float32, 3e-6)])
def test_far_tails_keep_their_digits(dtype, rtol):
    """Log masses down to -1e5; beyond the exponent range of any dtype."""
    mean = torch.tensor([-90.0, -9, -2.5, 2.5, 9, 90], dtype=dtype)
    for level in (0, 1, 128, 254, 255):
        params = pixels(torch.zeros((), dtype=dtype), mean, torch.full((), -7.0, dtype=dtype))
        x = torch.full((1, 1, 1, 1), level, dtype=torch.uint8)
        ours = log_prob(x, params, 1)
        truth = reference.discretized_logistic_mixture_log_prob(x, params.double(), 1)
        assert truth.min() < -9e4
        assert_close(ours.double(), truth, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("log_scale", [3.0, 10.0, 40.0, 80.0])
def test_scales_beyond_reason_keep_their_digits(log_scale):
    """A wide logistic is flat: an inner bin has about 2 h / (4 s)."""
    params = torch.tensor([0.0, 0.3, log_scale]).view(3, 1, 1).requires_grad_()
    value = log_prob(torch.full((1, 1, 1, 1), 77, dtype=torch.uint8), params, 1)
    truth = math.log(1 / 510) - log_scale
    assert value.item() == pytest.approx(truth, rel=1e-3 if log_scale == 3 else 1e-6)
    (grad,) = torch.autograd.grad(value.sum(), params)
    assert grad[2].item() == pytest.approx(-1, abs=1e-2)


@pytest.mark.parametrize("make", [grey, colour])
@pytest.mark.parametrize("log_scale", SCALES)
def test_float32_equals_the_reference_in_float64(make, log_scale):
    x, params = make(components=10, shape=(9, 11), dtype=torch.float32)
    channels = x.shape[1]
    rest = params[:, 10:].unflatten(1, (channels, -1, 10))
    rest[:, :, 0] *= 0.5
    rest[:, :, 1] = log_scale + 0.3 * rest[:, :, 1]
    exact = params.double().requires_grad_()
    truth = reference.discretized_logistic_mixture_log_prob(x, exact, 10)
    (slope,) = torch.autograd.grad(truth.sum(), exact)
    value = log_prob(x, params.requires_grad_(), 10)
    (grad,) = torch.autograd.grad(value.sum(), params)
    assert_close(value.double(), truth, rtol=1e-6, atol=1e-4)
    # a mean's own rounding, 6e-8, is 6e-8 / s of its scale
    loss = 1e-6 * max(1.0, math.exp(-log_scale))
    assert_close(grad.double(), slope, rtol=1e-5, atol=loss * max(1.0, slope.abs().max().item()))


def test_the_order_of_components_does_not_matter():
    for make, planes in ((grey, 3), (colour, 10)):
        x, params = make(components=7)
        order = torch.randperm(7, generator=generator())
        shuffled = params.unflatten(1, (planes, 7))[:, :, order].flatten(1, 2)
        assert_close(log_prob(x, params, 7), log_prob(x, shuffled, 7))


def test_equal_components_are_one():
    x, params = colour(components=1)
    assert_close(log_prob(x, params.repeat_interleave(6, 1), 6), log_prob(x, params, 1))


def test_scaled_levels_are_levels():
    x, params = colour(components=3)
    assert_close(log_prob(x.double() * (2 / 255) - 1, params, 3), log_prob(x, params, 3))
    low = params.float()
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        scaled = (x.double() * (2 / 255) - 1).to(dtype)
        assert_close(log_prob(scaled, low, 3), log_prob(scaled.double(), params, 3).float())


# gradients
@pytest.mark.parametrize("batch_ndim", [0, 1, 2])
@pytest.mark.parametrize("make", [grey, colour])
def test_gradients_are_difference_quotients(make, batch_ndim):
    x, params = make(shape=(2, 3), batch=(2, 2))
    assert gradcheck(lambda p: log_prob(x, p, 2, batch_ndim=batch_ndim), params.requires_grad_())


@pytest.mark.parametrize(
    "of_x, of_params",
    [((2,), (3, 2)), ((1,), (3, 2)), ((3, 2), (2,)), ((3, 2), ()), ((3, 1), (1, 2)), ((), (2,))],
    ids=str,
)
@pytest.mark.parametrize("batch_ndim", [0, 1])
def test_data_and_parameters_broadcast_over_batch_dimensions(of_x, of_params, batch_ndim):
    x, _ = colour(batch=of_x, shape=(2, 3))
    _, params = colour(batch=of_params, shape=(2, 3))
    batch = torch.broadcast_shapes(of_x, of_params)
    full = params.expand(*batch, -1, -1, -1).clone().requires_grad_()
    truth = log_prob(x.expand(*batch, -1, -1, -1).clone(), full, 2, batch_ndim=batch_ndim)
    value = log_prob(x, params.requires_grad_(), 2, batch_ndim=batch_ndim)
    assert_close(value, truth)
    weight = torch.rand_like(value)
    (grad,) = torch.autograd.grad(value, params, weight)
    (slope,) = torch.autograd.grad(truth, full, weight)
    assert_close(grad, slope.sum_to_size(params.shape))
    assert gradcheck(lambda p: log_prob(x, p, 2, batch_ndim=batch_ndim), params)


@pytest.mark.parametrize("scale", [-1 / 3, 1.0, "weights"])
def test_ready_gradients_are_those_of_the_backward(scale):
    """The gradient of a loss of -mean comes with the value; any other is scaled, or made anew."""
    x, params = colour(components=10, shape=(32, 32), dtype=torch.float32)
    weight = randn(3, dtype=torch.float32) if scale == "weights" else torch.full((3,), scale)
    backward = torch.ops.pyvae.discretized_logistic_mixture_log_prob_backward
    expected = backward(weight, x, params, 10, 1, [False, True])[1]
    value = log_prob(x, params.requires_grad_(), 10)
    assert_close(torch.autograd.grad(value, params, weight)[0], expected)


def test_logits_may_be_shifted():
    x, params = colour(components=4)
    (grad,) = torch.autograd.grad(log_prob(x, params.requires_grad_(), 4).sum(), params)
    assert_close(grad[:, :4].sum(1), torch.zeros_like(grad[:, 0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_log_scales_below_the_least_have_no_gradient(dtype):
    x, params = colour(components=2, dtype=dtype)
    rest = params[:, 2:].unflatten(1, (3, 3, 2))
    rest[:, :, 1, 0], rest[:, :, 1, 1] = -7.5, -6.5
    (grad,) = torch.autograd.grad(log_prob(x, params.requires_grad_(), 2).sum(), params)
    of_scales = grad[:, 2:].unflatten(1, (3, 3, 2))[:, :, 1]
    assert (of_scales[:, :, 0] == 0).all() and (of_scales[:, :, 1] != 0).any()
    least = params.detach().clone()
    least[:, 2:].unflatten(1, (3, 3, 2))[:, :, 1, 0] = -7
    assert torch.equal(log_prob(x, params.detach(), 2), log_prob(x, least, 2))


@pytest.mark.parametrize("make", [grey, colour])
def test_data_that_ask_for_a_gradient_get_it(make):
    x, params = make(shape=(2, 2))
    x = (0.9 * (x.double() * (2 / 255) - 1)).requires_grad_()
    params.requires_grad_()
    assert gradcheck(lambda x, p: log_prob(x, p, 2), (x, params))
    assert gradcheck(lambda x: log_prob(x, params.detach(), 2), (x,))
    value = log_prob(x, params, 2)
    assert all((g != 0).any() for g in torch.autograd.grad(value.sum(), (x, params)))
    of_batch = torch.func.vmap(torch.func.grad(lambda x, p: log_prob(x, p, 2, batch_ndim=0)))
    assert_close(of_batch(x, params), torch.autograd.grad(log_prob(x, params, 2).sum(), x)[0])


# memory
def cropped(t):
    return torch.nn.functional.pad(t, (1, 2, 2, 1))[..., 2:-1, 1:-2]


LAYOUTS = {
    "half of the channels": lambda t: torch.cat([t, t], -3).chunk(2, -3)[1],
    "channels last": lambda t: t.contiguous(memory_format=torch.channels_last),
    "every second image": lambda t: t.repeat_interleave(2, 0)[::2],
    "cropped": cropped,
    "transposed": lambda t: t.mT.contiguous().mT,
    "wide": lambda t: t.repeat_interleave(2, -1)[..., ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_layout(layout, dtype):
    x, params = colour(components=3, shape=(6, 7), dtype=dtype)
    plain = params.clone().requires_grad_()
    truth = log_prob(x, plain, 3)
    (slope,) = torch.autograd.grad(truth.sum(), plain)
    laid = LAYOUTS[layout](params).detach().requires_grad_()
    for data in (x, LAYOUTS[layout](x)):
        value = log_prob(data, laid, 3)
        (grad,) = torch.autograd.grad(value.sum(), laid)
        assert_close(value, truth)
        assert_close(grad, slope)
        assert grad.stride() == torch.empty_like(laid).stride()


@pytest.mark.parametrize("of_x, of_params", [((0, 3, 2, 2), (0, 20, 2, 2)), ((2, 3, 0, 4),) * 2])
def test_empty_batches_and_images(of_x, of_params):
    params = torch.zeros(of_params[0], 20, *of_params[2:], requires_grad=True)
    value = log_prob(torch.zeros(of_x, dtype=torch.uint8), params, 2)
    assert torch.equal(value, torch.zeros(of_x[0]))
    (grad,) = torch.autograd.grad(value.sum(), params)
    assert grad.shape == params.shape


def test_a_bad_number_stays_in_its_image():
    x, params = colour(components=2, dtype=torch.float32, shape=(5, 7))
    for bad in (math.nan, math.inf):
        for plane in range(20):
            spoilt = params.clone()
            spoilt[1, plane, 3, 4] = bad
            value = log_prob(x, spoilt, 2)
            assert value[[0, 2]].isfinite().all()
            assert value[1].isnan() or not math.isnan(bad), plane


def test_a_component_can_be_ruled_out():
    x, params = colour(components=3)
    params[:, 1] = -math.inf
    rest = params.unflatten(1, (10, 3))[:, :, [0, 2]].flatten(1, 2)
    assert_close(log_prob(x, params, 3), log_prob(x, rest, 2))
