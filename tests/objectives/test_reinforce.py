"""The score-function estimator: unbiased for every baseline, and what baselines are for."""

import itertools

import pytest
import torch
from torch import nn
from torch.distributions import Independent

from pyvae import VAE
from pyvae.distributions import Bernoulli
from pyvae.objectives import ELBO
from pyvae.objectives.score_function import BASELINES

D, N = 3, 4


class BinaryPosterior(nn.Module):
    """q(z|x) = Bernoulli(features)."""

    def forward(self, features):
        return Bernoulli(logits=features, event_ndim=1, validate_args=False)


class BinaryPrior(nn.Module):
    """p(z) = Bernoulli(0.3)."""

    latent_dim = D

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.full((D,), 0.3).logit())

    def forward(self):
        return Bernoulli(logits=self.logits, event_ndim=1, validate_args=False)


@pytest.fixture
def model():
    """A model of 2^D latent states, so that expectations are sums."""
    torch.manual_seed(0)
    model = VAE(
        (N,),
        D,
        encoder_args={"hidden": (D,), "activation": "tanh"},
        decoder_args={"hidden": ()},
        posterior=BinaryPosterior(),
        prior=BinaryPrior(),
        likelihood="gaussian",
    )
    return model.double()


@pytest.fixture
def x():
    return torch.randn(3, N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gradient(loss, model):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


def exact_loss(model, x, beta):
    q, p = model.encode(x), model.prior()
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=D)), dtype=x.dtype)[:, None]
    weight = q.log_prob(states).exp()
    kl = weight * (q.log_prob(states) - p.log_prob(states))
    fit = weight * model.decode(states).log_prob(x)
    return (beta * kl - fit).sum(0).mean()


def draws(model, x, repeats, **options):
    objective = ELBO(estimator="reinforce", **options)
    return torch.stack([gradient(objective(model, x).loss, model) for _ in range(repeats)])


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("baseline", BASELINES)
def test_the_gradient_is_unbiased(model, x, baseline, beta):
    truth = gradient(exact_loss(model, x, beta), model)
    found = draws(model, x, 200, baseline=baseline, beta=beta, num_samples=50)
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - truth).abs() <= 4.5 * error + 1e-12).all()
    assert (error < 0.05 + 0.05 * truth.abs()).all()  # or the test would say nothing


def test_the_loss_is_the_negative_bound(model, x):
    result = ELBO(estimator="reinforce", num_samples=20_000)(model, x)
    torch.testing.assert_close(result.loss, -result.terms["elbo"])
    torch.testing.assert_close(result.loss, exact_loss(model, x, 1.0), rtol=0.01, atol=0.01)


def test_baselines_lower_the_variance(model, x):
    with torch.no_grad():
        model.decoder.output.bias += 3  # a large reward, which says nothing about z
    variance = {
        baseline: draws(model, x, 300, baseline=baseline, num_samples=4).var(0).sum()
        for baseline in BASELINES
    }
    assert variance["leave_one_out"] < variance["moving_average"] < variance["none"]


def test_the_true_posterior_leaves_nothing_to_learn(linear_gaussian):
    """log p(x, z) - log q(z|x) is then log p(x) for every z."""
    model, _ = linear_gaussian()
    x = torch.randn(6, 5, dtype=torch.float64)
    objective = ELBO(estimator="reinforce", baseline="leave_one_out", num_samples=3)
    grads = torch.autograd.grad(objective(model, x).loss, model.recognition_parameters())
    assert all(g.abs().max() < 1e-6 for g in grads)


def test_the_moving_average_is_part_of_the_state(model, x):
    objective = ELBO(estimator="reinforce")
    for _ in range(5):
        objective(model, x)
    again = ELBO(estimator="reinforce")
    again.load_state_dict(objective.state_dict())
    losses = []
    for one in (objective, again):
        torch.manual_seed(3)
        losses.append(gradient(one(model, x).loss, model))
    assert torch.equal(*losses)
    average = objective.score.average / objective.score.weight
    assert average < 0  # near the mean of f, not near the 0 that it started from
    before = objective.state_dict()["score.average"].clone()
    objective.eval()(model, x)
    assert torch.equal(before, objective.state_dict()["score.average"])


def test_a_posterior_and_a_prior_of_two_kinds_raise(x):
    model = VAE((N,), 256, posterior=BinaryPosterior()).double()
    with pytest.raises(TypeError, match=r"Bernoulli has discrete samples .* StandardNormal is a"):
        ELBO(estimator="reinforce")(model, x)


def test_torch_distributions_do_as_well(model, x):
    class Plain(BinaryPosterior):
        def forward(self, features):
            return Independent(torch.distributions.Bernoulli(logits=features), 1)

    model.posterior = Plain()
    torch.manual_seed(5)
    result = ELBO(estimator="reinforce", num_samples=4, baseline="leave_one_out")(model, x)
    assert gradient(result.loss, model).isfinite().all()
