"""One contract for all likelihoods."""

import json

import pytest
import torch

from pyvae import VAE, registry
from pyvae.likelihoods import BYTES, Likelihood
from pyvae.networks import positions_of
from pyvae.objectives import Batch

SHAPES = [(1, 8, 8), (3, 7, 5), (2, 1, 1), (6,)]
OWN = [n for n in registry.likelihoods.names() if not registry.likelihoods.is_plugin(n)]
NAMES = [n for n in OWN if n != "mixed"]  # which is made of columns: test_mixed.py
DISCRETE = {
    "bernoulli",
    "categorical",
    "discretized_logistic",
    "discretized_logistic_mixture",
    "multinomial",
    "negative_binomial",
    "poisson",
    "zero_inflated_negative_binomial",
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def create(name, shape, **options):
    return registry.likelihoods.create(name, data_shape=shape, **options)


def takes(name, shape):
    return name != "discretized_logistic_mixture" or (len(shape) == 3 and shape[0] in (1, 3))


def side_inputs(likelihood, x):
    """What belongs to data x (*batch, *data_shape)."""
    known = {"library": x.float().flatten(-len(likelihood.data_shape)).sum(-1)}
    return {name: known[name] for name in likelihood.side_inputs}


CASES = [(name, shape) for name in NAMES for shape in SHAPES if takes(name, shape)]


every = pytest.mark.parametrize(("name", "shape"), CASES, ids=str)


@every
def test_shapes_values_and_gradients(name, shape):
    likelihood = create(name, shape)
    assert isinstance(likelihood, Likelihood) and likelihood.data_shape == shape
    params = torch.randn(2, 5, *likelihood.param_shape, requires_grad=True)
    side = side_inputs(likelihood, torch.full((2, 5, *shape), 3.0))
    p = likelihood(params, **side)
    assert (p.batch_shape, p.event_shape) == ((2, 5), shape)
    x = p.sample()
    assert x.shape == p.mean.shape == (2, 5, *shape)
    likelihood.check(x.flatten(0, 1))
    log_prob = p.log_prob(x[0])  # data of the second batch dimension alone
    assert log_prob.shape == (2, 5) and log_prob.isfinite().all()
    leaves = [params, *likelihood.parameters()]
    for grad in torch.autograd.grad(log_prob.sum(), leaves):
        assert grad.isfinite().all() and grad.abs().sum() > 0
    assert likelihood.as_input(x, torch.float64).dtype == torch.float64
    assert likelihood.as_input(x, torch.float32).abs().max() < 50
    with pytest.raises(ValueError, match="x must have shape"):
        likelihood.check(torch.zeros(2, 9, 9, 9))


@every
def test_the_mean_of_the_samples(name, shape):
    likelihood = create(name, shape)
    params = 0.5 * torch.randn(likelihood.param_shape)
    p = likelihood(params, **side_inputs(likelihood, torch.full(shape, 3.0)))
    x = p.sample((4000,)).float()
    slack = 12.0 if name == "discretized_logistic_mixture" else 1e-3  # in colour approximate
    assert ((x.mean(0) - p.mean).abs() < 6 * x.std(0) / 4000**0.5 + slack).all()


OF_EACH_VARIABLE = [
    ("gaussian", (3, 4, 5), {"variance": "per_variable", "standardize": True}),
    ("gaussian", (6,), {"variance": "per_variable", "standardize": True}),
    ("gaussian", (2, 4), {"variance": "per_pixel", "standardize": True}),
    ("laplace", (2, 3, 2, 2), {"scale": "per_variable"}),
    ("mixed", (4,), {"parts": ["gaussian:1", "categorical:1:3", "gaussian:1", "bernoulli:1"]}),
]
SEPARABLE = [(*case, {}) for case in CASES if registry.likelihoods.get(case[0]).separable]


@pytest.mark.parametrize(("name", "shape", "options"), SEPARABLE + OF_EACH_VARIABLE, ids=str)
def test_a_datum_is_explained_position_by_position(name, shape, options):
    likelihood = create(name, shape, **options)
    likelihood.init_from_statistics(torch.randn(shape), torch.rand(shape) + 0.5)
    for parameter in likelihood.parameters():
        torch.nn.init.normal_(parameter)
    params = torch.randn(4, *likelihood.param_shape)
    p, at = likelihood(params), positions_of(shape)
    x, each = p.sample(), []
    for position in range(int(at.max()) + 1):
        one = likelihood.at(position)
        given = params[:, likelihood.positions == position].reshape(4, *one.param_shape)
        own = x[:, at == position].reshape(4, *one.data_shape)
        each.append(one(given).log_prob(own))
        assert one(given).sample().shape == own.shape
    torch.testing.assert_close(torch.stack(each).sum(0), p.log_prob(x), rtol=1e-4, atol=1e-3)
    assert likelihood.data_shape == shape and likelihood(params).event_shape == shape


@every
def test_the_start_has_the_mean_of_the_data(name, shape):
    likelihood = create(name, shape)
    p = likelihood(
        torch.randn(9, *likelihood.param_shape),
        **side_inputs(likelihood, torch.full((9, *shape), 3.0)),
    )
    mean = p.sample().float().mean(0)
    start = likelihood.init_from_mean(mean)
    if start is not None:
        assert start.shape == likelihood.param_shape
        found = likelihood(start, **side_inputs(likelihood, mean)).mean
        torch.testing.assert_close(found, mean, atol=5e-3, rtol=1e-3)


@every
def test_state_and_float64(name, shape):
    likelihood, other = create(name, shape), create(name, shape)
    for parameter in likelihood.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(likelihood.state_dict())
    params = torch.randn(4, *likelihood.param_shape)
    side = side_inputs(likelihood, torch.full((4, *shape), 3.0))
    x = likelihood(params, **side).sample()
    log_prob = likelihood(params, **side).log_prob(x)
    torch.testing.assert_close(other(params, **side).log_prob(x), log_prob)
    other.double()
    params, side = params.double(), {key: value.double() for key, value in side.items()}
    if x.dtype != torch.uint8:
        x = x.double()
    again = other(params, **side).log_prob(x)
    assert again.dtype == torch.float64
    torch.testing.assert_close(again.float(), log_prob, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_discrete_ones_are_probabilities(name):
    likelihood = create(name, (1, 2, 2))
    assert likelihood.discrete == (name in DISCRETE)
    params = torch.randn(50, *likelihood.param_shape)
    side = side_inputs(likelihood, torch.full((50, 1, 2, 2), 3.0))
    p = likelihood(params, **side)
    if likelihood.discrete:
        assert (p.log_prob(p.sample()) <= 1e-6).all()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("laplace", {"b": 0.0}, "b must be positive"),
        (
            "laplace",
            {"scale": "none"},
            "scale must be 'fixed', 'learned', 'per_variable' or 'per_p",
        ),
        ("laplace", {"scale": "per_pixel", "b": 1.0}, "a start is given only for a fixed or"),
        ("discretized_logistic", {"scale": "per_pixel", "log_scale": -1}, "a start is given"),
        ("discretized_logistic_mixture", {"num_mixtures": 0}, "must be at least 1, got 0"),
        ("categorical", {"levels": 1}, "levels must be at least 2, got 1"),
    ],
)
def test_bad_options_raise(name, options, said):
    with pytest.raises(ValueError, match=said):
        create(name, (1, 4, 4), **options)


def test_the_mean_of_a_cell_is_its_total_shared_out():
    for name in ("negative_binomial", "zero_inflated_negative_binomial"):
        likelihood = create(name, (5,))
        params = torch.randn(2, 3, *likelihood.param_shape)
        library = torch.tensor([10.0, 100.0, 7.0])
        p = likelihood(params, library=library)
        mean = p.mean if name == "negative_binomial" else p.count_mean
        torch.testing.assert_close(mean.sum(-1), library.expand(2, 3))
        likelihood.log_inverse_dispersion.data[2] = 3.0
        assert likelihood(params, library=library).inverse_dispersion[0, 0, 2].log() == 3


NETWORKS = [(e, d) for e in ("mlp", "conv") for d in ("mlp", "conv")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("encoder", "decoder"), NETWORKS)
def test_every_likelihood_learns_with_every_network(encoder, decoder, name):
    model = VAE((1, 6, 5), 3, encoder, decoder, likelihood=name)
    likelihood = model.likelihood
    x = (torch.rand(16, 1, 6, 5) < 0.2).float()
    if likelihood.data_range == BYTES:
        x = (255 * x).to(torch.uint8)
    side = side_inputs(likelihood, x)
    json.dumps(model.config)
    objective = registry.objectives.create("elbo", num_samples=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = objective(model, Batch(x, extras=side)).loss
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < sum(losses[:3])
    two = {key: value[:2] for key, value in side.items()}
    assert model.sample(2, **two).shape == (2, 1, 6, 5)
    assert model.reconstruct(x[:2], mean=False, **two).shape == (2, 1, 6, 5)
    assert model.log_marginal(x, 3, **side).isfinite().all()


def test_a_model_takes_no_likelihood_that_is_none():
    with pytest.raises(TypeError, match=r"likelihood must be .* got a Identity"):
        VAE((1, 2, 2), 2, likelihood=torch.nn.Identity())


@pytest.mark.parametrize("name", ["negative_binomial", "zero_inflated_negative_binomial"])
def test_a_share_that_underflows_has_a_likelihood_and_gradients(name):
    likelihood = registry.likelihoods.get(name)((4,))
    logits = torch.tensor([[-120.0, 0.0, 0.0, 0.0]]) * 10
    if name.startswith("zero"):
        logits = torch.cat([logits, torch.full((1, 4), -3.0)], -1)
    logits.requires_grad_()
    p = likelihood(logits, library=torch.tensor([10.0]))
    loss = -p.log_prob(torch.tensor([[1.0, 2.0, 3.0, 4.0]])).sum()
    assert 1000 < loss < 1300
    for grad in torch.autograd.grad(loss, [logits, *likelihood.parameters()]):
        assert grad.isfinite().all()
