"""The sweep that pyvae's own ops pass, and what is known of Student t."""

import math
from importlib.metadata import entry_points

import pytest
import torch
from scipy.integrate import quad
from torch.testing import assert_close

from pyvae import VAE, registry
from pyvae.objectives import ELBO
from pyvae.testing import density_case, draw
from pyvae.testing.sweep import *  # noqa: F403
from pyvae_student_t import StudentT, StudentTLikelihood, student_t_log_prob
from pyvae_student_t.density import reference

CASE = density_case(
    student_t_log_prob,
    reference,
    {"x": draw.normal, "mean": draw.normal, "log_scale": draw.normal, "df": draw.positive},
    namespace="pyvae_student_t",
    broadcasts=("log_scale", "df"),
)


@pytest.fixture(params=[CASE], ids=lambda c: c.name)
def case(request):
    return request.param


def test_it_is_the_distribution_of_torch():
    inputs = CASE.inputs(50, 31, dtype=torch.float64, requires_grad=CASE.differentiable)
    x, mean, log_scale, df = leaves = list(inputs.values())
    ours = student_t_log_prob(x, mean, log_scale, df, batch_ndim=2)
    torchs = torch.distributions.StudentT(df, mean, log_scale.exp()).log_prob(x)
    assert_close(ours, torchs, rtol=1e-12, atol=1e-12)
    incoming = torch.randn_like(ours)
    assert_close(
        torch.autograd.grad(ours, leaves, incoming),
        torch.autograd.grad(torchs, leaves, incoming),
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_outliers_cost_what_the_power_law_says(dtype):
    """Far out log p falls by (df + 1) log 10 for each factor of ten, value and slopes."""
    x = 10.0 ** torch.arange(2, 31, dtype=dtype)[:, None]
    mean, df = torch.zeros_like(x), torch.full_like(x, 2.5)
    leaves = [t.requires_grad_() for t in (x, mean, torch.zeros_like(x), df)]
    exact = [t.detach().double().requires_grad_() for t in leaves]
    ours, truth = student_t_log_prob(*leaves), reference(*exact)
    tolerance = {"rtol": 2e-6 if dtype == torch.float32 else 1e-12, "atol": 0}
    assert_close(ours.double(), truth, **tolerance)
    steps = ours.detach().double().diff()[4:]  # where the 1 of 1 + q counts no more
    assert_close(steps, torch.full_like(steps, -3.5 * math.log(10)), rtol=1e-5, atol=0)
    slopes = torch.autograd.grad(ours.sum(), leaves)
    true_slopes = torch.autograd.grad(truth.sum(), exact)
    for slope, true_slope in zip(slopes, true_slopes, strict=True):
        assert_close(slope.double(), true_slope, **{**tolerance, "atol": tolerance["rtol"]})


def test_the_normal_limit_keeps_its_digits():
    """At 1e8 degrees of freedom, where two log-gammas of float32 would differ by nothing."""
    torch.manual_seed(0)
    mean, log_scale, away = torch.randn(3, 400, 7)
    x = mean + log_scale.exp() * away
    ours = student_t_log_prob(x, mean, log_scale, 1e8, batch_ndim=2)
    normal = torch.distributions.Normal(mean.double(), log_scale.double().exp())
    assert_close(ours.double(), normal.log_prob(x.double()), rtol=2e-6, atol=4e-6)


@pytest.mark.parametrize("df", [0.5, 1.0, 4.0, 300.0])
@pytest.mark.parametrize("mean, log_scale", [(0.0, 0.0), (1.5, -1.0), (-2.0, 0.7)])
def test_it_integrates_to_one(df, mean, log_scale):
    """Over x = mean + exp(log_scale) sinh(u), so that heavy tails end somewhere."""
    scale = math.exp(log_scale)

    def density(u):
        x = torch.tensor([[mean + scale * math.sinh(u)]], dtype=torch.float64)
        log_prob = student_t_log_prob(x, torch.full_like(x, mean), log_scale, df)
        return log_prob.exp().item() * scale * math.cosh(u)

    mass = quad(density, -60, 60, points=[0.0], limit=200)[0]
    assert mass == pytest.approx(1, abs=1e-8)


def test_samples_have_the_moments_that_it_says():
    torch.manual_seed(0)
    p = StudentT(torch.tensor([[1.0, -2.0]]), torch.tensor([0.0, 0.5]), 9.0)
    x = p.sample((200_000,))
    assert x.shape == (200_000, 1, 2) and p.log_prob(x).shape == x.shape
    assert_close(x.mean(0), p.mean, atol=0.02, rtol=0)
    assert_close(x.var(0), p.variance, atol=0, rtol=0.05)
    heavy = StudentT(torch.zeros(1, 2), 0.0, torch.tensor([2.0, 0.5]))
    assert heavy.variance.isinf().all()


def test_it_trains_one_step():
    torch.manual_seed(0)
    model = VAE((3,), 2, likelihood=StudentTLikelihood((3,)))
    objective, x = ELBO(), torch.randn(64, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    seed = torch.random.get_rng_state()

    def loss():
        torch.random.set_rng_state(seed)  # the same noise
        return objective(model, x).loss

    before = loss()
    before.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.likelihood.log_df.grad.abs().sum() > 0
    optimizer.step()
    assert loss() < before


def test_degrees_of_freedom_are_positive():
    with pytest.raises(ValueError, match="df must be positive, got 0"):
        StudentTLikelihood((3,), df=0)


def test_the_entry_point_is_registered():
    (point,) = entry_points(group="pyvae.likelihoods", name="student_t")
    assert point.load() is StudentTLikelihood
    assert registry.likelihoods.get("student_t") is StudentTLikelihood
    assert isinstance(
        registry.likelihoods.create("student_t", data_shape=(3,), df=3.0), StudentTLikelihood
    )
