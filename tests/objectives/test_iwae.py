"""The importance-weighted bound and the gradients of its estimators, where the truth is known."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Laplace, Normal

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian, StandardNormal, path_log_prob, rsample_log_ratio
from pyvae.objectives import ELBO, IWAE

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(4, N, dtype=torch.float64)


@pytest.fixture
def near(linear_gaussian):
    """The linear model with a posterior that is off by a shift and a scale."""
    model, truth = linear_gaussian()
    with torch.no_grad():
        model.posterior.linear.bias[:D] += 0.4
        model.posterior.linear.bias[D:] += 0.5
    return model, truth


def gradients(model, x, parameters, repeats, **options):
    objective = IWAE(**options)
    found = []
    for _ in range(repeats):
        grads = torch.autograd.grad(objective(model, x).loss, parameters)
        found.append(torch.cat([g.flatten() for g in grads]))
    return torch.stack(found)


def agree(a, b, width=4.5):
    """Whether two samples of gradients have the same mean, within error bars."""
    error = ((a.var(0) + b.var(0)) / len(a)).sqrt()
    return bool(((a.mean(0) - b.mean(0)).abs() <= width * error + 1e-12).all())


@pytest.mark.parametrize("estimator", ["iwae", "stl", "dreg"])
def test_the_bound_rises_with_k_to_log_p(near, x, estimator):
    model, truth = near
    log_p = truth.log_prob(x).mean()
    many = x.repeat(500, 1)
    with torch.no_grad():
        bounds = [
            IWAE(k, estimator)(model, many).terms["bound"].item() for k in (1, 4, 16, 64, 256)
        ]
    assert all(a < b for a, b in pairwise(bounds))
    assert bounds[-1] < log_p + 0.01
    torch.testing.assert_close(bounds[-1], log_p.item(), atol=0.02, rtol=0)


def test_one_sample_gives_the_elbo(near, x):
    model, _ = near
    loss = torch.stack([IWAE(1)(model, x).loss for _ in range(3000)]).mean()
    exact = ELBO(num_samples=100_000)(model, x).loss
    torch.testing.assert_close(loss, exact, atol=0.1, rtol=0)
    result = IWAE(1)(model, x)
    torch.testing.assert_close(result.terms["bound"], result.terms["elbo"])


def test_terms_are_means_over_the_samples(near, x):
    terms = IWAE(8)(near[0], x).terms
    torch.testing.assert_close(terms["elbo"], terms["log_likelihood"] - terms["kl"])
    assert terms["bound"] > terms["elbo"]


def test_stl_is_unbiased_for_one_sample(near, x):
    model, _ = near
    phi = model.recognition_parameters()
    plain = gradients(model, x, phi, 2000, num_samples=1)
    assert agree(plain, gradients(model, x, phi, 2000, num_samples=1, estimator="stl"))


def test_dreg_is_unbiased_for_any_k_and_stl_is_not(near, x):
    model, _ = near
    phi = model.recognition_parameters()
    for k in (1, 6):
        plain = gradients(model, x, phi, 2500, num_samples=k)
        assert agree(plain, gradients(model, x, phi, 2500, num_samples=k, estimator="dreg")), k
    assert not agree(plain, gradients(model, x, phi, 2500, num_samples=6, estimator="stl"))


@pytest.mark.parametrize("prior", ["standard_normal", "diagonal_gaussian"])
def test_estimators_leave_the_generative_gradient_alone(near, x, prior):
    model, _ = near
    if prior == "diagonal_gaussian":
        shifted = VAE((N,), D, prior=prior, likelihood="gaussian").prior.double()
        with torch.no_grad():
            shifted.mean += 0.2
        model.prior = shifted
    theta = model.generative_parameters()
    assert len(theta) == (4 if prior == "diagonal_gaussian" else 2)
    found = []
    for estimator in ("iwae", "stl", "dreg"):
        torch.manual_seed(1)
        found.append(gradients(model, x, theta, 1, num_samples=7, estimator=estimator))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


@pytest.mark.parametrize("k", [1, 5])
def test_at_the_true_posterior_the_path_gradient_has_no_variance(linear_gaussian, x, k):
    model, truth = linear_gaussian()
    phi = model.recognition_parameters()
    for estimator in ("stl", "dreg"):
        found = gradients(model, x, phi, 5, num_samples=k, estimator=estimator)
        assert found.abs().max() < 1e-6
    assert gradients(model, x, phi, 5, num_samples=k).std(0).max() > 1e-2
    torch.testing.assert_close(-IWAE(k)(model, x).loss, truth.log_prob(x).mean(), atol=1e-6, rtol=0)


def test_the_signal_of_dreg_does_not_vanish_with_k(near, x):
    """Tucker et al. 2019: signal over noise goes as K^-1/2 for iwae, as K^1/2 for dreg."""
    model, _ = near
    phi = model.recognition_parameters()

    def signal_to_noise(k, estimator):
        found = gradients(model, x, phi, 400, num_samples=k, estimator=estimator)
        return (found.mean(0).abs() / found.std(0)).median()

    assert signal_to_noise(100, "iwae") < signal_to_noise(2, "iwae")
    assert signal_to_noise(100, "dreg") > 2 * signal_to_noise(2, "dreg")


def plain_gaussian(mean, logvar):
    return Independent(Normal(mean, (logvar / 2).exp()), 1)


def test_the_op_and_the_general_formula_agree():
    mean, logvar = torch.randn(2, 3, D, dtype=torch.float64).requires_grad_()
    prior = DiagonalGaussian(torch.ones(D, dtype=torch.float64), 0.3, event_ndim=1)
    for p, plain in (
        (StandardNormal((D,), dtype=torch.float64), plain_gaussian(*torch.zeros(2, D).double())),
        (prior, plain_gaussian(prior.mean, prior.logvar)),
    ):
        for path in (False, True):
            z, ratio = rsample_log_ratio(DiagonalGaussian(mean, logvar), p, 4, path_derivative=path)
            eps = ((z - mean) / (logvar / 2).exp()).detach()
            again = mean + (logvar / 2).exp() * eps
            q = plain_gaussian(mean, logvar)
            log_q = path_log_prob(q, again) if path else q.log_prob(again)
            expected = plain.log_prob(again) - log_q
            torch.testing.assert_close(ratio, expected)
            weight = torch.randn_like(ratio)
            for a, b in zip(
                torch.autograd.grad((ratio * weight).sum(), (mean, logvar)),
                torch.autograd.grad((expected * weight).sum(), (mean, logvar)),
                strict=True,
            ):
                torch.testing.assert_close(a, b)


class LaplacePosterior(nn.Module):
    """A posterior for which there is no op."""

    def forward(self, features):
        loc, log_scale = features.chunk(2, dim=-1)
        return Independent(Laplace(loc, (log_scale / 4).exp(), validate_args=False), 1)


@pytest.mark.parametrize("estimator", ["iwae", "stl", "dreg"])
def test_other_posteriors(estimator):
    model = VAE((N,), D, encoder_args={"hidden": (2 * D,)}, posterior=LaplacePosterior()).double()
    x = torch.rand(6, N, dtype=torch.float64)
    result = IWAE(400, estimator)(model, x)
    with torch.no_grad():
        log_p = model.log_marginal(x, 20_000).mean()
    torch.testing.assert_close(result.terms["bound"], log_p, atol=0.05, rtol=0)
    grads = torch.autograd.grad(result.loss, list(model.parameters()))
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in grads)


class Point(nn.Module):
    """A deterministic posterior: a point, which has no density."""

    def forward(self, features):
        class Delta(torch.distributions.Distribution):
            has_rsample = True

            def rsample(self, sample_shape=()):
                return features.expand(*sample_shape, *features.shape)

        return Delta(features.shape[:1], features.shape[1:], validate_args=False)


def test_posteriors_that_do_not_fit():
    x = torch.rand(2, N)
    with pytest.raises(TypeError, match="iwae needs a posterior and a prior with densities"):
        IWAE(3)(VAE((N,), 256, posterior=Point()), x)

    class Discrete(nn.Module):
        def forward(self, features):
            return Independent(torch.distributions.Bernoulli(logits=features), 1)

    with pytest.raises(TypeError, match=r"iwae needs a posterior with rsample.* estimator='reinf"):
        IWAE(3)(VAE((N,), 256, posterior=Discrete()), x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "best"}, "estimator must be 'iwae', 'stl' or 'dreg', got 'best'"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
    ],
)
def test_bad_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        IWAE(**options)
