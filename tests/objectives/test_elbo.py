"""Laws of the ELBO, and objectives of other kinds through the same interface."""

import math

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian
from pyvae.likelihoods import Likelihood
from pyvae.objectives import ELBO, Batch, Objective, Phase, Result, sampling

D, N = 2, 5


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


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
@pytest.mark.parametrize("capacity", [None, 7.0])
def test_the_kl_warms_up(linear_gaussian, x, options, at, progress, capacity):
    model, _ = linear_gaussian()
    objective = ELBO(beta=3.0, capacity=capacity, **options)
    objective.step_begin(*at)
    result = objective(model, x)
    kl, log_likelihood = result.terms["kl"], result.terms["log_likelihood"]
    cost = 3 * progress * kl if capacity is None else 3 * (kl - progress * capacity).abs()
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


class Mixed(nn.Module):
    """A prior whose divergence from a Gaussian has no closed form."""

    latent_dim = D

    def forward(self):
        student = torch.distributions.StudentT(5.0, torch.zeros(D), torch.ones(D))
        return torch.distributions.Independent(student, 1)


def test_without_a_closed_form_the_error_names_the_way_out():
    model = VAE((N,), D, prior=Mixed(), likelihood="gaussian")
    x = torch.randn(3, N)
    with pytest.raises(TypeError, match=r"\|\| Independent\(StudentT\)\).*'sampled'"):
        ELBO(estimator="analytic")(model, x)
    assert ELBO(estimator="sampled")(model, x).loss.isfinite()


def test_auto_says_once_that_it_takes_samples(caplog):
    sampling._say_sampled.cache_clear()
    caplog.set_level("INFO", logger="pyvae")
    x = torch.randn(3, N)
    mixed = VAE((N,), D, prior=Mixed(), likelihood="gaussian")
    closed = VAE((N,), D, likelihood="gaussian")
    for model in (mixed, closed, mixed):
        ELBO()(model, x)
    assert [record.getMessage() for record in caplog.records] == [
        "elbo: estimator 'auto' takes KL(DiagonalGaussian || Independent(StudentT)) from samples, "
        "as no closed form is known"
    ]


class Torchs(nn.Module):
    """The standard normal prior, in torch's classes."""

    latent_dim = D

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self):
        zero = torch.zeros(D, dtype=torch.float64)
        if self.kind == "full":
            return torch.distributions.MultivariateNormal(zero, torch.eye(D, dtype=zero.dtype))
        return torch.distributions.Independent(torch.distributions.Normal(zero, 1.0), 1)


@pytest.mark.parametrize("kind", ["independent", "full"])
def test_a_prior_of_torchs_has_the_closed_form(kind, x):
    """The loss and its gradient are those of our own prior, not one sample's."""
    found = []
    for prior in (Torchs(kind), "standard_normal"):
        torch.manual_seed(0)
        model = VAE((N,), D, prior=prior, likelihood="gaussian").double()
        torch.manual_seed(1)
        result = ELBO()(model, x)
        grads = torch.autograd.grad(result.loss, list(model.parameters()))
        found.append((result.terms, [g.clone() for g in grads]))
    torch.testing.assert_close(*found)


def same_loss(model, x, a, b):
    losses = []
    for estimator in (a, b):
        torch.manual_seed(1)
        losses.append(ELBO(num_samples=3, estimator=estimator)(model, x).loss)
    return losses[0] == losses[1]


@pytest.mark.parametrize(
    ("posterior", "prior", "closed"),
    [
        ("diagonal_gaussian", "standard_normal", True),
        ("rank1_gaussian", "diagonal_gaussian", True),
        ("full_gaussian", "standard_normal", True),
        ("diagonal_gaussian", "vampprior", False),
        ("diagonal_gaussian", "mixture_of_gaussians", False),
        ("mixture_of_gaussians", "standard_normal", False),
        ("planar", "standard_normal", False),
    ],
)
def test_by_default_the_estimator_is_the_one_that_the_parts_have(posterior, prior, closed):
    model = VAE((N,), D, prior=prior, posterior=posterior, likelihood="gaussian")
    x = torch.randn(3, N)
    assert ELBO().estimator == "auto"
    assert same_loss(model, x, "auto", "analytic" if closed else "sampled")
    if not closed:
        with pytest.raises(TypeError, match="has no closed form here"):
            ELBO(estimator="analytic")(model, x)


class PlainPosterior(nn.Module):
    """A posterior that cannot be differentiated through its samples."""

    def forward(self, features):
        return torch.distributions.Independent(torch.distributions.Bernoulli(logits=features), 1)


def test_a_posterior_without_rsample_raises():
    model = VAE((N,), 256, posterior=PlainPosterior())
    with pytest.raises(TypeError, match=r"posterior with rsample, .* got Independent"):
        ELBO()(model, torch.rand(3, N))


class Adversarial(Objective):
    """Makhzani et al. 2015: a discriminator tells q(z) from p(z). Two phases, a network, labels."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = 0.0, None

    def bind(self, model):
        self.discriminator = nn.Linear(model.latent_dim, 1)

    def phases(self, model):
        return [
            Phase("model", list(model.parameters())),
            Phase("discriminator", list(self.discriminator.parameters())),
        ]

    def step_begin(self, step, epoch):
        self.weight = min(1.0, step / 10)

    def forward(self, model, batch, *, phase=None):
        batch = Batch.of(batch)
        self.seen = batch.y
        q = model.encode(batch.x)
        if phase == "discriminator":
            fake, real = q.sample(), model.prior().sample(q.batch_shape)
            fake, real = self.discriminator(fake), self.discriminator(real)
            loss = nn.functional.softplus(fake).mean() + nn.functional.softplus(-real).mean()
            return Result(loss, {"discriminator": loss.detach()})
        z = q.rsample()
        fit = model.decode(z).log_prob(batch.x).mean()
        fool = nn.functional.softplus(-self.discriminator(z)).mean()
        return Result(self.weight * fool - fit, {"log_likelihood": fit.detach()})


def step(objective, model, batch, optimizers):
    """A training step, as the interface promises it."""
    for phase in objective.phases(model):
        loss = objective(model, batch, phase=phase.name).loss
        grads = torch.autograd.grad(loss, phase.parameters)
        for parameter, grad in zip(phase.parameters, grads, strict=True):
            parameter.grad = grad
        optimizers[phase.name].step()


def test_an_objective_may_own_networks_and_have_phases():
    model, objective = VAE((N,), D), Adversarial()
    objective.bind(model)
    phases = objective.phases(model)
    optimizers = {p.name: torch.optim.SGD(p.parameters, 0.1) for p in phases}
    names = {p.name: [q.detach().clone() for q in p.parameters] for p in phases}
    objective.step_begin(5, 0)
    assert objective.weight == 0.5
    step(objective, model, Batch(torch.rand(8, N), torch.arange(8)), optimizers)
    for phase in phases:
        assert any(
            not torch.equal(a, b) for a, b in zip(names[phase.name], phase.parameters, strict=True)
        )
    assert objective.seen is not None and "discriminator.weight" in objective.state_dict()


def test_shared_parameters_are_trained_once():
    class Owner(ELBO):
        def bind(self, model):
            self.encoder = model.encoder
            self.own = nn.Parameter(torch.zeros(()))

    model, objective = VAE((N,), D), Owner()
    objective.bind(model)
    model.decoder.output.bias.requires_grad_(False)
    (phase,) = objective.phases(model)
    assert len({id(p) for p in phase.parameters}) == len(phase.parameters)
    assert len(phase.parameters) == len(list(model.parameters())) - 1 + 1


class Scaled(Likelihood):
    """A likelihood whose mean is scaled by a side input."""

    side_inputs = ("size",)

    def forward(self, params, **side):
        return DiagonalGaussian(params * side["size"], 0.0, event_ndim=1, validate_args=False)


@pytest.mark.parametrize("num_samples", [1, 4])
def test_side_inputs_reach_the_likelihood(num_samples):
    model = VAE((N,), D, likelihood=Scaled((N,)))
    x, size = torch.randn(6, N), torch.full((6, 1), 3.0)
    batch = Batch(x, extras={"size": size, "target": x})
    losses = []
    for scale in (size, 0 * size):
        torch.manual_seed(1)
        extras = {**batch.extras, "size": scale}
        losses.append(ELBO(num_samples=num_samples)(model, Batch(x, extras=extras)).terms)
    expected = -0.5 * (math.log(2 * math.pi) + x.square()).sum(1).mean()
    torch.testing.assert_close(losses[1]["log_likelihood"], expected)
    assert losses[0]["log_likelihood"] != losses[1]["log_likelihood"]
    with pytest.raises(ValueError, match="likelihood Scaled needs size, got no side inputs"):
        ELBO()(model, x)
    assert model.log_marginal(x, 5, size=size).shape == (6,)
    assert model.sample(2, size=size[:2]).shape == (2, N)
