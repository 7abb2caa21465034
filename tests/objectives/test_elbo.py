"""Laws of the ELBO."""

import pytest
import torch

from pyvae.objectives import ELBO, Batch

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(6, N, dtype=torch.float64)


def test_with_the_true_posterior_the_bound_is_tight(linear_gaussian, x):
    model, truth = linear_gaussian()
    log_p = truth.log_prob(x)
    sampled = ELBO(estimator="sampled")(model, x)  # each sample gives log p(x), without variance
    torch.testing.assert_close(sampled.terms["elbo"], log_p.mean())
    torch.testing.assert_close(sampled.loss, -log_p.mean())
    analytic = ELBO(num_samples=20_000)(model, x)
    torch.testing.assert_close(analytic.terms["elbo"], log_p.mean(), atol=0.03, rtol=0)


def test_with_another_posterior_the_bound_lies_below_by_the_kl(linear_gaussian, x):
    model, truth = linear_gaussian()
    with torch.no_grad():
        model.posterior.linear.bias[:D] += 0.3  # a shift costs 0.3^2 / 2 v in KL per dimension
        variance = model.posterior.linear.bias[D:].exp()
    gap = (0.3**2 / (2 * variance)).sum()
    for estimator in ("analytic", "sampled"):
        terms = ELBO(num_samples=20_000, estimator=estimator)(model, x).terms
        torch.testing.assert_close(terms["elbo"], truth.log_prob(x).mean() - gap, atol=0.05, rtol=0)


def test_the_two_estimators_agree_in_expectation(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    parameters = list(model.parameters())

    def loss_and_gradient(estimator):
        torch.manual_seed(1)  # the same samples, so that only the KL's terms differ
        result = ELBO(num_samples=30_000, estimator=estimator)(model, x)
        grads = torch.autograd.grad(result.loss, parameters)
        return result, torch.cat([g.flatten() for g in grads])

    (analytic, grad_b), (sampled, grad_a) = map(loss_and_gradient, ("analytic", "sampled"))
    for name in ("elbo", "kl", "log_likelihood"):
        torch.testing.assert_close(analytic.terms[name], sampled.terms[name], rtol=0.01, atol=0.02)
    torch.testing.assert_close(grad_b, grad_a, rtol=0.02, atol=0.02)


def test_the_analytic_estimator_varies_less(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    kl = {}
    for estimator in ("analytic", "sampled"):
        objective = ELBO(estimator=estimator)
        kl[estimator] = torch.stack([objective(model, x).terms["kl"] for _ in range(20)])
    assert kl["analytic"].std() == 0 < kl["sampled"].std()


@pytest.mark.parametrize("estimator", ["analytic", "sampled"])
@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_beta_kl_minus_log_likelihood(linear_gaussian, x, beta, num_samples, estimator):
    model, _ = linear_gaussian()
    result = ELBO(beta, num_samples, estimator)(model, x)
    terms = result.terms
    torch.testing.assert_close(result.loss, beta * terms["kl"] - terms["log_likelihood"])
    torch.testing.assert_close(terms["elbo"], terms["log_likelihood"] - terms["kl"])
    assert result.loss.requires_grad and not any(t.requires_grad for t in terms.values())


def test_events_are_summed_and_the_batch_is_averaged(linear_gaussian, x):
    model, _ = linear_gaussian()
    torch.testing.assert_close(
        ELBO()(model, x).terms["kl"], ELBO()(model, x.repeat(3, 1)).terms["kl"]
    )
    q = model.encode(x)
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(q.mean, q.stddev), normal(0.0, 1.0))
    torch.testing.assert_close(ELBO()(model, x).terms["kl"], kl.sum(1).mean())


def test_the_seed_governs_the_loss(linear_gaussian, x):
    model, _ = linear_gaussian()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(ELBO(num_samples=2)(model, x).loss)
    assert losses[0] == losses[1] != losses[2]


def test_a_tensor_is_a_batch(linear_gaussian, x):
    model, _ = linear_gaussian()
    for batch in (x, Batch(x), Batch(x, torch.zeros(6), {"unused": x})):
        torch.manual_seed(1)
        loss = ELBO()(model, batch).loss
        torch.manual_seed(1)
        assert loss == ELBO()(model, x).loss


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "best"}, "'sampled' .or 'A'. or 'reinforce', got 'best'"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"beta": -1.0}, "beta must not be negative, got -1.0"),
        ({"capacity": -1.0}, "capacity must not be negative, got -1.0"),
        ({"warm_up_steps": 5, "warm_up_epochs": 5}, "warm_up_steps or warm_up_epochs, not both"),
        ({"warm_up_from": 0.1}, "warm_up_from needs warm_up_steps or warm_up_epo"),
        ({"warm_up_from": -0.1, "warm_up_steps": 5}, "warm_up_from must not be negative, got -0.1"),
        ({"weight_prior": "cauchy"}, "weight_prior must be one of normal, laplace, got 'cauchy'"),
        ({"weight_prior": "normal", "weight_scale": 0.0}, "weight_scale must be positive, got 0"),
        ({"estimator": "reinforce", "baseline": "best"}, "baseline must be one of none, moving"),
        ({"estimator": "reinforce", "baseline": "leave_one_out"}, "needs num_samples of 2"),
    ],
)
def test_bad_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        ELBO(**options)


def test_the_estimators_go_by_their_letters_too(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    for letter, name in (("A", "sampled"), ("B", "analytic")):
        losses = []
        for estimator in (letter, name):
            torch.manual_seed(1)
            losses.append(ELBO(estimator=estimator)(model, x).loss)
        assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("options", "at", "progress"),
    [
        ({}, (0, 0), 1.0),
        ({"warm_up_steps": 10}, (0, 3), 0.0),
        ({"warm_up_steps": 10}, (5, 0), 0.5),
        ({"warm_up_steps": 10}, (50, 0), 1.0),
        ({"warm_up_epochs": 4}, (99, 0), 0.0),
        ({"warm_up_epochs": 4}, (0, 3), 0.75),
        ({"warm_up_epochs": 4}, (0, 8), 1.0),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("capacity", [None, 7.0])
def test_the_kl_warms_up(linear_gaussian, x, options, at, progress, capacity, start):
    """Up from where it starts, or down: in equal parts of the way."""
    model, _ = linear_gaussian()
    options = {**options, "warm_up_from": start} if options else options
    objective = ELBO(beta=3.0, capacity=capacity, **options)
    objective.step_begin(*at)
    result = objective(model, x)
    kl, log_likelihood = result.terms["kl"], result.terms["log_likelihood"]
    end = 3 if capacity is None else capacity
    reached = start + progress * (end - start)
    cost = reached * kl if capacity is None else 3 * (kl - reached).abs()
    torch.testing.assert_close(result.loss, cost - log_likelihood)
    torch.testing.assert_close(result.terms["elbo"], log_likelihood - kl)


def test_the_capacity_holds_the_kl(linear_gaussian, x):
    """With a large gamma, the KL of a trained model is C, above or below where it would be."""
    for capacity in (0.5, 4.0):
        model, _ = linear_gaussian(exact=False)
        objective = ELBO(beta=100.0, capacity=capacity, num_samples=20)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        kls = []
        for _ in range(300):
            optimizer.zero_grad()
            result = objective(model, x)
            result.loss.backward()
            optimizer.step()
            kls.append(result.terms["kl"])
        assert abs(torch.stack(kls[-100:]).mean() - capacity) < 0.1


@pytest.mark.parametrize(("prior", "power"), [("normal", 2), ("laplace", 1)])
def test_a_prior_on_the_weights_is_that_of_the_whole_data_set(linear_gaussian, x, prior, power):
    """-log p(theta) / N in nats, where theta are the weights of p(x|z) and not those of q(z|x)."""
    model, _ = linear_gaussian()
    with_prior = ELBO(weight_prior=prior, weight_scale=0.5)
    with pytest.raises(ValueError, match="needs the number of training data: set data_size"):
        with_prior(model, x)
    with_prior.data_size = 40
    losses = []
    for objective in (ELBO(), with_prior):
        torch.manual_seed(1)
        losses.append(objective(model, x).loss)
    grads = torch.autograd.grad(losses[1] - losses[0], list(model.parameters()), allow_unused=True)
    family = torch.distributions.Normal if power == 2 else torch.distributions.Laplace
    for (name, parameter), grad in zip(model.named_parameters(), grads, strict=True):
        value = parameter.detach().clone().requires_grad_()
        log_prior = family(0.0, 0.5).log_prob(value).sum()
        expected = -torch.autograd.grad(log_prior, value)[0] / 40
        if not name.startswith("decoder"):
            expected = torch.zeros_like(value)
        torch.testing.assert_close(grad, expected, atol=1e-12, rtol=1e-9)
