"""Models with several layers of Gaussian latents: what they equal, and what goes with them."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from pyvae import VAE, registry
from pyvae.distributions import (
    Chain,
    DiagonalGaussian,
    Rank1Gaussian,
    StandardNormal,
    layer_kl,
    rsample_kl,
)
from pyvae.metrics import evaluate
from pyvae.models import DeepLatentGaussian
from pyvae.models.deep_latent.inference import in_noise_of, weighted_by_precision
from pyvae.objectives import ELBO, IWAE

F64 = torch.float64
INFERENCES = ["bottom_up", "top_down", "noise"]
every_inference = pytest.mark.parametrize("inference", INFERENCES)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(dims=(4, 3, 2), **options):
    options = {"hidden": (8,), "encoder_args": {"hidden": [8]}, **options}
    return DeepLatentGaussian((1, 4, 4), dims, decoder_args={"hidden": [8]}, **options)


def gaussian(kind, *batch):
    if kind == "rank1":
        return Rank1Gaussian(*(torch.randn(*batch, 3, dtype=F64) for _ in range(3)))
    return DiagonalGaussian(*(torch.randn(*batch, 3, dtype=F64) for _ in range(2)))


# Chains


def test_the_density_of_a_chain_is_that_of_one_gaussian():
    """h_1 ~ N(m, V), h_2 = A h_1 + noise, listed in either order."""
    a, logvar = torch.randn(2, 3, dtype=F64), torch.randn(2, dtype=F64)
    first = gaussian("diagonal")
    order = {False: [0, 1, 2, 3, 4], True: [3, 4, 0, 1, 2]}
    for reverse, place in order.items():
        chain = Chain(first, [lambda h: DiagonalGaussian(h @ a.T, logvar)], [3, 2], reverse=reverse)
        low = first.variance.diag()
        joint = torch.cat(
            [
                torch.cat([low, low @ a.T], 1),
                torch.cat([a @ low, a @ low @ a.T + logvar.exp().diag()], 1),
            ]
        )
        mean = torch.cat([first.mean, a @ first.mean])
        truth = MultivariateNormal(mean[place], joint[place][:, place])
        z = truth.sample((6,))
        assert_close(chain.log_prob(z), truth.log_prob(z))
        assert_close(chain.layer_log_prob(z).sum(-1), truth.log_prob(z))
        assert_close(chain.joined(chain.split(z)), z)
        drawn = chain.rsample((40_000,))
        assert (drawn.mean(0) - truth.mean).abs().max() < 0.1
        assert (drawn.T.cov() - truth.covariance_matrix).abs().max() < 0.3
        assert chain.expand((5,)).sample().shape == (5, 5)


def test_layers_stand_in_the_order_of_the_event():
    chain = Chain(StandardNormal((1,)), [lambda h: DiagonalGaussian(h, 2.0)], [1, 1], reverse=True)
    z = torch.tensor([3.0, 1.0])  # h_1 of the second layer first
    expected = [
        DiagonalGaussian(torch.ones(1), 2.0).log_prob(z[:1]),
        StandardNormal((1,)).log_prob(z[1:]),
    ]
    assert_close(chain.layer_log_prob(z), torch.stack(expected))


def test_the_divergence_of_chains_layer_by_layer():
    """In closed form given the layer above it is the mean of the log-ratio, with less noise."""
    model = make(inference="top_down").double()
    x = torch.rand(1, 1, 4, 4).expand(4000, 1, 4, 4)
    q, p = model.encode(x), model.prior()
    z, kl = rsample_kl(q, p)
    each = layer_kl(q, p, z)
    assert z.shape == (4000, 9) and kl.shape == (4000,) and each.shape == (4000, 3)
    assert_close(each.sum(-1), q.log_prob(z) - p.log_prob(z))
    error = each.sum(-1).std() / math.sqrt(4000)
    assert (each.sum(-1).mean() - kl.mean()).abs() < 5 * error
    assert kl.std() < 0.5 * each.sum(-1).std()
    z, kl = rsample_kl(q, p, (3,))
    assert z.shape == (3, 4000, 9) and kl.shape == (3, 4000)
    with pytest.raises(NotImplementedError):  # q goes up, p comes down
        rsample_kl(make().encode(x), make().prior())
    assert layer_kl(q, StandardNormal((9,)), z) is None
    assert layer_kl(make((5, 4)).encode(x), p, z) is None


# What is brought together on the way down


@pytest.mark.parametrize("kind", ["diagonal", "rank1"])
def test_precision_weighting_is_the_product_of_densities(kind):
    q, p = gaussian(kind, 4), gaussian("diagonal", 5, 4)
    both = weighted_by_precision(q, p)
    z = torch.randn(7, 5, 4, 3, dtype=F64)
    rest = both.log_prob(z) - q.log_prob(z) - p.log_prob(z)
    assert type(both) is type(q) and both.batch_shape == (5, 4)
    assert_close(rest, rest[:1].expand(7, 5, 4))


@pytest.mark.parametrize("kind", ["diagonal", "rank1"])
def test_recognised_noise_has_the_divergence_of_its_layer(kind):
    q, p = gaussian(kind, 4), gaussian("diagonal", 5, 4)
    h, noise = in_noise_of(q, p), torch.randn(7, 5, 4, 3, dtype=F64)
    volume = (p.logvar / 2).sum(-1)
    assert_close(h.log_prob(p.mean + p.stddev * noise), q.log_prob(noise) - volume)
    kl = torch.distributions.kl_divergence
    assert_close(kl(h, p), kl(q, StandardNormal((3,), dtype=F64)).expand(5, 4))


# Models


@pytest.mark.parametrize(
    ("inference", "each"),
    [("bottom_up", 0.0), ("noise", 0.0), ("top_down", math.log(2) / 2 - 0.25)],
)
def test_what_a_layer_costs_whose_posterior_knows_nothing(inference, each):
    """Nothing where q is p; from the top down q is the product with p, and narrower than it."""
    model = make(inference=inference).double()
    for part in (model.posteriors, model.down):
        for name, parameter in part.named_parameters():
            if "output" in name or "linear" in name:
                torch.nn.init.zeros_(parameter)
    q, p = model.encode(torch.rand(20_000, 1, 4, 4)), model.prior()
    found = layer_kl(q, p, q.sample()).mean(0)
    assert_close(found, each * torch.tensor([4, 3, 0], dtype=F64), atol=0.03, rtol=0)


def deep_linear(inference="bottom_up"):
    """h_2 ~ N(0, I), h_1 = A h_2 + a + noise, x = W h_1 + w + noise: x is Gaussian."""
    model = DeepLatentGaussian(
        (5,),
        (3, 2),
        hidden=(),
        inference=inference,
        variance="constant",
        likelihood="gaussian",
        likelihood_args={"sigma": 0.7},
        encoder_args={"hidden": ()},
        decoder_args={"hidden": ()},
    ).double()
    a, w = model.down[0].output, model.decoder.output
    with torch.no_grad():
        model.down[0].logvar.copy_(torch.tensor([-0.5, 0.0, 0.5]))
        inner = a.weight @ a.weight.T + model.down[0].logvar.exp().diag()
        covariance = w.weight @ inner @ w.weight.T + 0.49 * torch.eye(5, dtype=F64)
        mean = w.weight @ a.bias + w.bias
    return model, MultivariateNormal(mean, covariance)


@every_inference
def test_importance_samples_find_the_marginal_of_a_linear_model(inference):
    """From a posterior that is wider than the true one, so that no weight is far from others."""
    model, truth = deep_linear(inference)
    x = truth.sample((20,))
    with torch.no_grad():
        for posterior in model.posteriors:
            posterior.linear.weight.mul_(0.1)
            posterior.linear.bias.zero_()
        model.posteriors[0].linear.bias[3:] = {"bottom_up": 1.0, "top_down": 3.0, "noise": 0.0}[
            inference
        ]
    few, many = model.log_marginal(x, 1), model.log_marginal(x, 20_000)
    assert few.mean() < many.mean() - 0.3
    assert (many - truth.log_prob(x)).abs().max() < 0.15
    assert (many - truth.log_prob(x)).mean().abs() < 0.03


def test_the_bound_tightens_with_the_samples():
    model, truth = deep_linear()
    x = truth.sample((1,)).expand(3000, 5)
    one, five, fifty = (IWAE(k)(model, x).terms["bound"].item() for k in (1, 5, 50))
    assert one < five < fifty < truth.log_prob(x[0]).item() + 0.02
    elbo = ELBO(num_samples=50)(model, x).terms["elbo"].item()
    assert elbo == pytest.approx(one, abs=0.2)


def test_a_second_layer_that_changes_nothing():
    """h_2 ~ N(0, I) and h_1|h_2 ~ N(a h_2, 1 - a^2) make h_1 ~ N(0, I); with the exact q(h_2|h_1)

    all weights are those of the model of one layer, sample by sample.
    """
    slope = 0.8
    options = {"hidden": (), "encoder_args": {"hidden": ()}, "variance": "network"}
    deep = make((3, 3), **options).double()
    flat = VAE((1, 4, 4), 3, encoder_args={"hidden": ()}, decoder_args={"hidden": [8]}).double()
    eye, zero = torch.eye(3, dtype=F64), torch.zeros(3, 3, dtype=F64)
    with torch.no_grad():
        for layer in (deep.down[0].output, deep.posteriors[1].linear):
            layer.weight.copy_(torch.cat([slope * eye, zero]))
            layer.bias.copy_(torch.tensor([0.0] * 3 + [math.log(1 - slope**2)] * 3))
    flat.decoder.load_state_dict(deep.decoder.state_dict())
    flat.posterior.load_state_dict(deep.posteriors[0].state_dict())
    x = torch.rand(4, 1, 4, 4).round()
    z = deep.encode(x).sample((6,))
    deep_weight = deep.decode(z).log_prob(x) + deep.prior().log_prob(z) - deep.encode(x).log_prob(z)
    h = z[..., :3]
    flat_weight = flat.decode(h).log_prob(x) + flat.prior().log_prob(h) - flat.encode(x).log_prob(h)
    assert_close(deep_weight, flat_weight)


@every_inference
@pytest.mark.parametrize("dims", [(4,), (4, 3), (5, 4, 3, 2)])
@pytest.mark.parametrize("variance", ["network", "constant"])
def test_any_number_of_layers(inference, dims, variance):
    model = make(dims, inference=inference, variance=variance)
    x = torch.rand(6, 1, 4, 4).round()
    q, p = model.encode(x), model.prior()
    assert (q.batch_shape, q.event_shape) == ((6,), (sum(dims),))
    assert (p.batch_shape, p.event_shape) == ((), (sum(dims),))
    assert model.sample(3).shape == (3, 1, 4, 4) and model.reconstruct(x).shape == x.shape
    result = ELBO()(model, x)
    grads = torch.autograd.grad(result.loss, [*model.parameters()])
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in grads)
    recognition = {*model.recognition_parameters()}
    assert {*model.generative_parameters()} == {*model.parameters()} - recognition
    model.zero_grad()
    model.decode(p.sample((2,))).log_prob(x[:2]).sum().backward()
    assert all(parameter.grad is None for parameter in recognition)


@every_inference
def test_the_data_of_one_row_do_not_reach_another(inference):
    model = make(inference=inference)
    x = torch.rand(5, 1, 4, 4)
    z = model.encode(x).sample()
    assert_close(model.encode(x[2:3]).log_prob(z[2:3]), model.encode(x).log_prob(z)[2:3])


FITS = {"aae", "elbo", "full_vb", "infovae", "iwae", "mmd_vae"}
FITS |= {"factor_vae", "wake_sleep", "aggressive_inference"}
OBJECTIVES = [n for n in registry.objectives.names() if not registry.objectives.is_plugin(n)]
OBJECTIVES = [n for n in OBJECTIVES if registry.objectives.get(n).models is None]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_that_fits_trains_it_and_others_say_so(name):
    model, objective = make(), registry.objectives.create(name)
    objective.data_size = 100
    objective.bind(model)
    x = torch.rand(6, 1, 4, 4).round()
    for phase in objective.phases(model):
        if name not in FITS:
            with pytest.raises(TypeError, match=r"needs (a|the) posterior|with a posterior"):
                objective(model, x, phase=phase.name)
            break
        loss = objective(model, x, phase=phase.name).loss
        grads = torch.autograd.grad(loss, phase.parameters, allow_unused=True)
        assert loss.isfinite() and any(g is not None and g.abs().sum() > 0 for g in grads)


@pytest.mark.parametrize("estimator", ["iwae", "stl", "dreg"])
def test_gradients_of_the_bound_agree_in_the_mean(estimator):
    """Of a layer's mean, which all estimators of the importance-weighted bound are unbiased for,

    but "stl" where q is not the true posterior: there it is that of the ELBO, at K = 1.
    """
    model, truth = deep_linear()
    x = truth.sample((1,)).expand(20_000, 5)
    k = 1 if estimator == "stl" else 3
    bias = model.posteriors[1].linear.bias
    (expected,) = torch.autograd.grad(IWAE(k, "iwae")(model, x).loss, bias)
    (found,) = torch.autograd.grad(IWAE(k, estimator)(model, x).loss, bias)
    assert (found - expected).abs().max() < 0.03 + 0.05 * expected.abs().max()


def test_figures_of_each_layer():
    model = make()
    x = torch.rand(40, 1, 4, 4).round()
    figures = evaluate(model, iter([(x, {})]))
    assert len(figures.kl_per_layer) == 3 and figures.kl_per_dim is None
    assert sum(figures.kl_per_layer) == pytest.approx(figures.kl, abs=1e-4)
    assert evaluate(VAE((1, 4, 4), 2), iter([(x, {})])).kl_per_layer is None


def test_saved_and_loaded(tmp_path):
    model = make((3, 2), inference="top_down", posterior="rank1_gaussian", variance="constant")
    model.save_pretrained(tmp_path)
    again = DeepLatentGaussian.from_pretrained(tmp_path)
    x = torch.rand(3, 1, 4, 4)
    z = model.encode(x).sample()
    assert_close(again.encode(x).log_prob(z), model.encode(x).log_prob(z), rtol=0, atol=0)
    assert_close(again.prior().log_prob(z), model.prior().log_prob(z), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dims": ()}, ValueError, r"latent_dims must hold one or more positive sizes, got \(\)"),
        ({"dims": (3, 0)}, ValueError, "latent_dims must hold one or more positive sizes"),
        ({"inference": "down"}, ValueError, "one of bottom_up, top_down, noise, got 'down'"),
        ({"variance": "fixed"}, ValueError, "variance must be one of network, constant, got"),
        ({"posterior": "bernoulli"}, ValueError, "Priors that fit the posterior: uniform_cat"),
        (
            {"posterior": "bernoulli", "prior": "uniform_categorical"},
            ValueError,
            "take a posterior over reals, such as diagonal_gaussian, got the BernoulliPosterior",
        ),
        ({"prior": "vampprior"}, TypeError, "the VampPrior is made of a VAE's encoder"),
        ({"posterior": torch.nn.Identity()}, TypeError, "made anew for each layer, by its name"),
    ],
)
def test_what_does_not_fit(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize("inference", ["top_down", "noise"])
def test_a_posterior_that_cannot_be_combined_is_said(inference):
    model = make(inference=inference, posterior="full_gaussian")
    with pytest.raises(TypeError, match=r"takes a Gaussian posterior, .* got MultivariateNormal"):
        ELBO()(model, torch.zeros(2, 1, 4, 4))
    bottom_up = make(posterior="full_gaussian")
    assert ELBO()(bottom_up, torch.zeros(2, 1, 4, 4)).loss.isfinite()
