"""One contract for likelihoods, and what each says of data that it cannot explain."""

import json

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Independent

from pyvae import VAE, registry
from pyvae.config import TrainConfig
from pyvae.data import DataSplits, Split
from pyvae.errors import UserError
from pyvae.likelihoods import BITS, BYTES, COUNTS, REAL, UNIT, DataRange, Likelihood
from pyvae.networks import positions_of
from pyvae.objectives import Batch
from pyvae.training import build
from pyvae.training.fit import check_fit, fitting_likelihoods

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


# What does not fit


def counts(**extras):
    x = torch.poisson(torch.full((20, 6), 2.0))
    return DataSplits("cells", *[Split(x, None, {k: x.sum(1) for k in extras})] * 3)


def images(levels=255, channels=1):
    x = torch.randint(0, levels + 1, (20, channels, 4, 4), dtype=torch.uint8)
    return DataSplits("images", *[Split(x)] * 3, levels=levels)


def test_which_likelihoods_fit():
    reals = DataSplits("reals", *[Split(torch.randn(20, 3))] * 3)
    assert set(fitting_likelihoods(reals)) >= {"gaussian", "laplace"}
    assert not {"poisson", "bernoulli", "categorical"} & set(fitting_likelihoods(reals))
    known = set(fitting_likelihoods(counts(library=True)))
    assert known >= {"poisson", "negative_binomial", "zero_inflated_negative_binomial"}
    assert "negative_binomial" not in fitting_likelihoods(counts())
    assert {"discretized_logistic_mixture", "categorical", "bernoulli", "poisson"} <= set(
        fitting_likelihoods(images())
    )
    assert "categorical" not in fitting_likelihoods(images(16))
    check_fit(images(16), "categorical", {"levels": 17})


@pytest.mark.parametrize(
    ("data", "name", "options", "said"),
    [
        (images(), "discretized_logistic_mixture", {"channels": 3}, r"channels=1 fits them"),
        (
            images(3),
            "discretized_logistic",
            {},
            r"levels from 0 to 3; .* from 0 to 255\. ",
        ),
        (counts(), "discretized_logistic_mixture", {}, r"cells.*: .*gaussian, laplace, poisson"),
        (counts(), "negative_binomial", {}, r"needs library with the data, which cells does not"),
        (counts(), "bernoulli", {}, r"x must be in \[0, 1\].*Likelihoods that fit cells: "),
        (images(channels=2), "discretized_logistic_mixture", {}, r"categorical take levels of any"),
    ],
)
def test_what_does_not_fit_is_said_with_what_does(data, name, options, said):
    with pytest.raises(ValueError, match=said):
        check_fit(data, name, options)


@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("poisson", -1.0, "whole numbers of at least 0, got values from -1 to 1"),
        ("negative_binomial", 0.5, "of at least 0, got values from 0.5 to 1, not all of them"),
        ("discretized_logistic", 256.0, "whole numbers from 0 to 255, got values from 1 to 256"),
        ("categorical", 0.5, "from 0 to 255, got values from 0.5 to 1, not all of them whole"),
        ("discretized_logistic_mixture", -1.0, "from 0 to 255, got values from -1 to 1"),
        ("continuous_bernoulli", 1.5, r"in \[0, 1\], got values from 1 to 1.5"),
        ("laplace", float("nan"), "must be real"),
    ],
)
def test_bad_values_are_named(name, bad, said):
    x = torch.ones(3, 1, 2, 2)
    create(name, (1, 2, 2)).check(x)
    x[1, 0, 1, 1] = bad
    with pytest.raises(ValueError, match=said):
        create(name, (1, 2, 2)).check(x)


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


def test_the_best_variance_is_taken_while_training():
    """The loss is that of the variance at its optimum, and so are the slopes of the means."""
    x, mean = torch.randn(6, 3, 4, 4), torch.randn(6, 3, 4, 4, requires_grad=True)
    optimal = create("gaussian", (3, 4, 4), variance="optimal")
    mse = (x - mean).square().mean()
    best = -0.5 * 48 * (mse.log() + 2.8378771)  # -1/2 sum log 2 pi e MSE
    found = optimal(mean).log_prob(x).mean()
    torch.testing.assert_close(found, best)
    slopes = [torch.autograd.grad(v, mean, retain_graph=True)[0] for v in (found, best)]
    torch.testing.assert_close(*slopes)
    torch.testing.assert_close(optimal.logvar[0], mse.log().detach())
    optimal(mean).log_prob(x + 1)  # the running mean moves by a tenth
    moved = torch.lerp(mse, (x + 1 - mean).square().mean(), 0.1).log().detach()
    torch.testing.assert_close(optimal.logvar[0], moved)
    optimal.eval()
    fixed = torch.distributions.Normal(mean, (moved / 2).exp())
    torch.testing.assert_close(optimal(mean).log_prob(x), fixed.log_prob(x).sum((1, 2, 3)))
    torch.testing.assert_close(optimal.logvar[0], moved)
    other = create("gaussian", (3, 4, 4), variance="optimal")
    other.load_state_dict(optimal.state_dict())
    assert torch.equal(other.logvar, optimal.logvar) and not list(other.parameters())


def test_the_best_variance_of_what_is_observed_and_of_standardized_data():
    x, mean, mask = torch.randn(50, 4), torch.zeros(50, 4), torch.rand(50, 4) < 0.5
    optimal = create("gaussian", (4,), variance="optimal")
    optimal(mean).mask(mask).log_prob(torch.where(mask, x, torch.nan))
    torch.testing.assert_close(optimal.logvar[0], x[mask].square().mean().log())
    before = optimal.logvar.clone()
    assert (optimal(mean).mask(mask & False).log_prob(x) == 0).all()
    torch.testing.assert_close(optimal.logvar, before)
    scaled = create("gaussian", (4,), variance="optimal", standardize=True)
    scaled.init_from_statistics(torch.arange(4.0), torch.tensor([0.1, 1.0, 10.0, 100.0]))
    data = torch.arange(4.0) + x * torch.tensor([0.1, 1.0, 10.0, 100.0])
    scaled(mean).log_prob(data)
    torch.testing.assert_close(scaled.logvar[0], x.square().mean().log())
    exact = create("gaussian", (4,), variance="optimal")
    assert exact(x).log_prob(x).isfinite().all() and exact.logvar[0] == -12


def test_gaussian_variances():
    x = torch.randn(6, 3, 4, 4)
    normal = torch.distributions.Normal
    fixed = create("gaussian", (3, 4, 4), sigma=0.5)
    learned = create("gaussian", (3, 4, 4), variance="learned", sigma=0.5)
    pixel = create("gaussian", (3, 4, 4), variance="per_pixel")
    mean, logvar = torch.randn(2, 6, 3, 4, 4)
    expected = normal(mean, 0.5).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(fixed(mean).log_prob(x), expected)
    torch.testing.assert_close(learned(mean).log_prob(x), expected)
    assert [p.shape for p in learned.parameters()] == [(1,)] and not list(fixed.parameters())
    expected = normal(mean, (logvar / 2).exp()).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(pixel(torch.cat([mean, logvar], 1)).log_prob(x), expected)
    # the learned variance has its optimum at the mean square
    mse = (x - mean).square().mean()
    learned.logvar.data.fill_(mse.log())
    (grad,) = torch.autograd.grad(learned(mean).log_prob(x).mean(), learned.logvar)
    torch.testing.assert_close(grad, torch.zeros(1), atol=1e-3, rtol=0)
    refused = {"variance": "free"}, {"sigma": 0.0}, {"variance": "per_pixel", "sigma": 1.0}
    for options in (*refused, {"mean": "tanh"}):
        with pytest.raises(ValueError, match="gaussian likelihood"):
            create("gaussian", (3, 4, 4), **options)


def test_gaussian_means_can_be_bounded():
    params, data_mean = 3 * torch.randn(5, 6, 4, 4), torch.rand(3, 4, 4).clamp(0.01, 0.99)
    free = create("gaussian", (3, 4, 4), variance="per_pixel")
    bounded = create("gaussian", (3, 4, 4), variance="per_pixel", mean="sigmoid")
    logits, logvar = params.chunk(2, 1)
    x = torch.rand(5, 3, 4, 4)
    expected = free(torch.cat([logits.sigmoid(), logvar], 1)).log_prob(x)
    torch.testing.assert_close(bounded(params).log_prob(x), expected)
    for likelihood in (free, bounded):
        start = likelihood(likelihood.init_from_mean(data_mean)[None])
        torch.testing.assert_close(start.mean[0], data_mean)


def test_data_out_of_range_raise():
    likelihood = create("bernoulli", (1, 2, 2))
    likelihood.check(torch.rand(3, 1, 2, 2))
    likelihood.check(torch.ones(3, 1, 2, 2, dtype=torch.bool))
    likelihood.check(torch.zeros(0, 1, 2, 2))
    with pytest.raises(ValueError, match=r"x must be in \[0, 1\], got values from 0 to 255"):
        likelihood.check(torch.tensor([[[[0, 255], [1, 1]]]], dtype=torch.uint8))


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


# Ranges


def test_a_range_says_what_lies_within():
    x = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 255.0, 256.0, float("nan"), float("inf")])
    inside = {
        REAL: [1, 1, 1, 1, 1, 1, 1, 0, 0],
        UNIT: [0, 1, 1, 1, 0, 0, 0, 0, 0],
        BITS: [0, 1, 0, 1, 0, 0, 0, 0, 0],
        BYTES: [0, 1, 0, 1, 1, 1, 0, 0, 0],
        COUNTS: [0, 1, 0, 1, 1, 1, 1, 0, 0],
        DataRange(low=0): [0, 1, 1, 1, 1, 1, 1, 0, 0],
        DataRange(high=0): [1, 1, 0, 0, 0, 0, 0, 0, 0],
    }
    for data_range, expected in inside.items():
        assert data_range.contains(x).tolist() == [bool(e) for e in expected], str(data_range)
    assert len({str(data_range) for data_range in inside}) == len(inside)
    assert BYTES.contains(torch.tensor([0, 255], dtype=torch.uint8)).all()
    assert UNIT.contains(torch.tensor([False, True])).all()
    assert DataRange(0, 1, whole=True) == BITS and BITS.unit and not BYTES.unit
    with pytest.raises(ValueError, match="low must be below high, got 1 and 0"):
        DataRange(1, 0)


def test_a_range_that_is_no_range_is_refused_with_the_class():
    with pytest.raises(TypeError, match="Old: data_range must be a pyvae"):

        class Old(Likelihood):
            data_range = "in [0, 1]"


class Pixels(Likelihood):
    """Zeros and ones by a torch distribution, as another package may write it."""

    data_range = BITS
    discrete = True

    def forward(self, params, **side):
        n = len(self.data_shape)
        return Independent(TorchBernoulli(logits=params, validate_args=False), n)


def test_anyones_likelihood_of_zeros_and_ones_gets_dynamic_binarization(monkeypatch):
    monkeypatch.setitem(registry.likelihoods._parts, "test_pixels", Pixels)
    monkeypatch.setitem(registry.likelihoods._origins, "test_pixels", "tests")
    assert Pixels.binary and create("bernoulli", (1,)).binary
    assert not any(create(name, (1, 2, 2)).binary for name in NAMES if name != "bernoulli")
    grey = images(levels=16)
    assert "test_pixels" in fitting_likelihoods(grey)
    assert "test_pixels" not in fitting_likelihoods(counts())
    shown = build(TrainConfig(likelihood="test_pixels", latent_dim=2)).view
    assert (shown.train_mode, shown.held_out_mode) == ("drawn", "stored")
    x = shown.train_values(shown.data.train.x[:50], torch.Generator().manual_seed(0))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    with pytest.raises(UserError, match="needs whole numbers from 0 to 1"):
        build(TrainConfig(likelihood="test_pixels", binarize="none"))


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
