"""The logistic on 256 levels: normalized, symmetric, and exact however far from the mean."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.testing import assert_close

from pyvae import functional as F

F64 = torch.float64
SINGLE_OR_MORE = [torch.float32, F64]
LEVELS = torch.arange(256, dtype=torch.uint8)[:, None]
MEANS = [-4.0, -1.0, -0.997, -0.3, 0.0, 1 / 255, 0.5, 1.0, 1.3]
LOG_SCALES = [-7.0, -6.5, -5.0, -4.0, -2.0, 0.0, 2.0]


def pixel(mean, log_scale, dtype=F64):
    return torch.full((256, 1), mean, dtype=dtype), torch.full((256, 1), log_scale, dtype=dtype)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("log_scale", LOG_SCALES)
@pytest.mark.parametrize("mean", MEANS)
def test_the_masses_sum_to_one(mean, log_scale, dtype):
    m, s = (t.requires_grad_() for t in pixel(mean, log_scale, dtype))
    mass = F.discretized_logistic_log_prob(LEVELS, m, s).double().exp()
    rtol = 1e-12 if dtype == F64 else 1e-5
    assert_close(mass.sum(), torch.ones((), dtype=F64), rtol=rtol, atol=0)
    # ... whatever the parameters: the sum's gradients are 0.
    for grad in torch.autograd.grad(mass.sum(), [m, s]):
        scale = grad.double().abs().sum() + 1
        assert grad.double().sum().abs() < rtol * scale


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("log_scale", LOG_SCALES)
def test_levels_and_their_places_are_the_same(log_scale, dtype):
    for mean in MEANS:
        m, s = pixel(mean, log_scale, dtype)
        scaled = (LEVELS.double() / 127.5 - 1).to(dtype)
        rtol = 1e-11 if dtype == F64 else 2e-4
        assert_close(
            F.discretized_logistic_log_prob(LEVELS, m, s),
            F.discretized_logistic_log_prob(scaled, m, s),
            rtol=rtol,
            atol=rtol,
        )


@pytest.mark.parametrize("log_scale", LOG_SCALES)
def test_black_and_white_are_mirror_images(log_scale):
    for mean in MEANS:
        ours = F.discretized_logistic_log_prob(LEVELS, *pixel(mean, log_scale))
        mirrored = F.discretized_logistic_log_prob(255 - LEVELS, *pixel(-mean, log_scale))
        assert_close(ours, mirrored, rtol=1e-12, atol=1e-12)


def test_it_is_the_difference_of_sigmoids():
    for mean in (-0.4, 0.0, 0.31):
        for log_scale in (-4.0, -2.5, 0.0):
            edges = (torch.arange(1, 256, dtype=F64) * 2 - 256) / 255
            below = torch.sigmoid((edges - mean) * math.exp(-log_scale))
            mass = torch.diff(below, prepend=torch.zeros(1), append=torch.ones(1))
            ours = F.discretized_logistic_log_prob(LEVELS, *pixel(mean, log_scale))
            assert_close(ours.exp(), mass, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
@pytest.mark.parametrize("log_scale", [-7.0, -5.0, 0.0])
def test_far_from_the_mean_it_is_a_straight_line(log_scale, dtype):
    """There the mass is exp(-(|d| - h) / s) (1 - exp(-2 h / s)), which sigmoids cannot resolve."""
    scale, h = math.exp(log_scale), 1 / 255
    for mean in (-60.0, 60.0):
        m, s = pixel(mean, log_scale, dtype)
        ours = F.discretized_logistic_log_prob(LEVELS, m, s)[1:-1]
        distance = (LEVELS.double() / 127.5 - 1 - mean).abs()[1:-1, 0]
        truth = -(distance - h) / scale + math.log(-math.expm1(-2 * h / scale))
        assert_close(ours.double(), truth, rtol=1e-6, atol=1e-6)


def test_the_middle_of_a_bin_is_not_its_mass():
    """The density times the width, a shortcut, is off by some 1e-4 and more at these scales."""
    m, s = pixel(0.0, -4.0)
    z = (LEVELS[1:-1].double() / 127.5 - 1) * math.exp(4)
    density = -z - 2 * torch.nn.functional.softplus(-z) + 4 + math.log(2 / 255)
    ours = F.discretized_logistic_log_prob(LEVELS, m, s)[1:-1]
    assert (ours - density[:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_the_log_scale_is_minus_seven_at_least(dtype):
    m, floor = pixel(0.21, -7.0, dtype)  # in the middle of no bin
    at = floor.clone().requires_grad_()
    expected = F.discretized_logistic_log_prob(LEVELS, m, at)
    (slope,) = torch.autograd.grad(expected.sum(), at)
    assert (slope != 0).all()
    for log_scale in (-7.001, -20.0, -math.inf):
        m.requires_grad_()
        s = torch.full_like(floor, log_scale).requires_grad_()
        value = F.discretized_logistic_log_prob(LEVELS, m, s)
        assert torch.equal(value, expected)
        grad_m, grad_s = torch.autograd.grad(value.sum(), [m, s])
        assert (grad_s == 0).all()
        assert grad_m.isfinite().all() and (grad_m != 0).all()


@pytest.mark.parametrize("dtype", SINGLE_OR_MORE)
def test_log_scales_of_any_size(dtype):
    for log_scale in (10.0, 40.0, 80.0):
        m, s = (t.requires_grad_() for t in pixel(0.5, log_scale, dtype))
        value = F.discretized_logistic_log_prob(LEVELS, m, s)
        # Half of the mass at each edge, and 1/2 h / s in each bin between.
        truth = torch.full((256,), math.log(0.5 / 255) - log_scale, dtype=F64)
        truth[0] = truth[-1] = -math.log(2)
        assert_close(value.double(), truth, rtol=1e-4, atol=1e-6)
        grads = torch.autograd.grad(value.sum(), [m, s])
        assert all(g.isfinite().all() for g in grads)
        assert_close(grads[1][1:-1], torch.full_like(s[1:-1], -1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("log_scale", LOG_SCALES[1:])
def test_gradients_of_every_level(log_scale):
    for mean in (-1.2, 0.1, 0.99):
        m, s = (t.requires_grad_() for t in pixel(mean, log_scale))
        assert gradcheck(
            lambda m, s: F.discretized_logistic_log_prob(LEVELS, m, s), (m, s), fast_mode=True
        )
    x = torch.linspace(-0.95, 0.95, 21, dtype=F64)[:, None].requires_grad_()
    rest = [torch.full_like(x, v).requires_grad_() for v in (0.3, log_scale)]
    assert gradcheck(F.discretized_logistic_log_prob, (x, *rest))


def test_one_number_for_the_scale():
    x = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    mean = torch.rand(4, 3, 8, 8) - 0.5
    whole = F.discretized_logistic_log_prob(x, mean, torch.full_like(mean, -2.5))
    assert_close(F.discretized_logistic_log_prob(x, mean, -2.5), whole)
    channels = torch.full((3, 1, 1), -2.5, requires_grad=True)
    value = F.discretized_logistic_log_prob(x, mean, channels)
    assert_close(value, whole)
    full = torch.full_like(mean, -2.5).requires_grad_()
    (each,) = torch.autograd.grad(F.discretized_logistic_log_prob(x, mean, full).sum(), full)
    (grad,) = torch.autograd.grad(value.sum(), channels)
    assert_close(grad, each.sum((0, 2, 3))[:, None, None])


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64, torch.int8])
def test_what_are_no_levels(dtype):
    mean = torch.zeros(2, 3)
    with pytest.raises(TypeError, match=r"discretized_logistic_log_prob: x must be integer levels"):
        F.discretized_logistic_log_prob(torch.zeros(2, 3, dtype=dtype), mean, 0.0)
