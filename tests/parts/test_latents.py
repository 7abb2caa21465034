"""One contract for priors and posteriors, and what does not fit together."""

import copy
import math
import sys

import pytest
import torch
from torch.distributions import kl_divergence

from pyvae import VAE, registry
from pyvae.distributions import rsample_kl
from pyvae.posteriors import Posterior
from pyvae.posteriors.distribution import families
from pyvae.priors import Prior

D, FEATURES = 10, 6
F64 = torch.float64
TORCH_OWN = ("distribution", "full_gaussian")


def own(kind):
    parts = registry.registries[kind]
    return [name for name in parts.names() if not parts.is_plugin(name)]


def unconditional(kind):
    """Without p(z|c), which test_conditions looks at."""
    return [name for name in own(kind) if not registry.registries[kind].get(name).side_inputs]


def fits(posterior, prior):
    kind = registry.posteriors.get(posterior)
    made_for = kind.priors is None or prior in kind.priors
    p = registry.priors.get(prior)
    return made_for and kind.space in p.spaces and not p.side_inputs


every_posterior = pytest.mark.parametrize("name", own("posteriors"))
every_prior = pytest.mark.parametrize("name", unconditional("priors"))
PAIRS = [(q, p) for q in own("posteriors") for p in own("priors") if fits(q, p)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make_posterior(name, latent_dim=D, **options):
    return registry.posteriors.create(name, in_features=FEATURES, latent_dim=latent_dim, **options)


def make_prior(name, latent_dim=D, **options):
    """A prior in a model with a posterior that fits."""
    posterior = next(q for q in own("posteriors") if fits(q, name))
    if posterior == "categorical":
        posterior = "bernoulli"
    options = {"prior": name, "posterior": posterior, "prior_args": options}
    model = VAE((1, 4, 4), latent_dim, **options)
    return model.prior, model


def prior_of(posterior):
    """The simplest prior over the latents of a posterior."""
    name = next(p for p in ("standard_normal", "uniform_categorical") if fits(posterior, p))
    prior = registry.priors.create(name, latent_dim=D)
    prior.bind(type("Bound", (), {"posterior": make_posterior(posterior)}))
    return prior


def noise(posterior, *shape):
    return torch.randn(*shape, FEATURES, dtype=next(posterior.parameters()).dtype)


# Posteriors


@every_posterior
@pytest.mark.parametrize("batch", [(5,), (2, 5), (0,), (1,)])
def test_a_posterior_over_any_batch(name, batch):
    posterior = make_posterior(name)
    assert isinstance(posterior, Posterior) and posterior.latent_dim == D
    if batch == (0,) and name in TORCH_OWN:
        pytest.skip("the distributions of torch take no empty batch")
    q = posterior(noise(posterior, *batch))
    assert (q.batch_shape, q.event_shape) == (batch, (D,))
    for shape in [(), (7,), (2, 3)]:
        z = q.sample(shape)
        assert z.shape == (*shape, *batch, D) and not z.requires_grad
        assert q.log_prob(z).shape == (*shape, *batch) and q.log_prob(z).isfinite().all()
    z = q.rsample((7,))
    assert z.shape == (7, *batch, D) and z.isfinite().all()
    assert q.log_prob(z).isfinite().all()


@every_posterior
def test_each_row_is_for_itself(name):
    posterior = make_posterior(name).double()
    features = noise(posterior, 5)
    z = posterior(features).sample()
    whole = posterior(features).log_prob(z)
    for i in range(5):
        one = posterior(features[i : i + 1]).log_prob(z[i : i + 1])
        torch.testing.assert_close(one, whole[i : i + 1], rtol=1e-8, atol=1e-8)


@every_posterior
def test_gradients_reach_features_and_parameters(name):
    posterior = make_posterior(name)
    features = noise(posterior, 50).requires_grad_()
    q = posterior(features)
    z = q.rsample()
    out = (z * torch.randn_like(z)).sum() + q.log_prob(z).sum()
    leaves = [features, *posterior.parameters()]
    for grad in torch.autograd.grad(out, leaves):
        assert grad.isfinite().all() and grad.abs().sum() > 0
    q = posterior(features)  # those of the density alone, at fixed z
    z = q.sample()
    for grad in torch.autograd.grad(q.log_prob(z).sum(), leaves):
        assert grad.isfinite().all() and grad.abs().sum() > 0


@every_posterior
def test_a_score_has_the_mean_zero(name):
    """E d log q(z) / d theta = 0: samples and density belong together."""
    posterior = make_posterior(name, **({"classes": 5} if name == "categorical" else {})).double()
    features = noise(posterior, 1)
    scores = []
    for _ in range(100):
        q = posterior(features.expand(200, -1))
        log_prob = q.log_prob(q.sample())
        grads = torch.autograd.grad(log_prob.mean(), list(posterior.parameters()))
        scores.append(torch.cat([g.flatten() for g in grads]))
    scores = torch.stack(scores)
    error = scores.std(0) / math.sqrt(len(scores)) + 1e-12
    assert (scores.mean(0).abs() / error).max() < 6


@every_posterior
def test_the_state_of_a_posterior_is_complete(name):
    posterior, other = make_posterior(name), make_posterior(name)
    other.load_state_dict(copy.deepcopy(posterior.state_dict()))
    features = noise(posterior, 4)
    z = posterior(features).sample()
    expected = posterior(features).log_prob(z)
    torch.testing.assert_close(other(features).log_prob(z), expected)
    other.double()
    again = other(features.double()).log_prob(z.double())
    assert again.dtype == F64
    torch.testing.assert_close(again.float(), expected, rtol=1e-3, atol=1e-3)
    torch.manual_seed(3)
    first = posterior(features).rsample()
    torch.manual_seed(3)
    assert torch.equal(first, posterior(features).rsample())


@every_posterior
def test_the_divergence_is_its_mean_over_samples(name):
    posterior = make_posterior(name).double()
    prior = prior_of(name).double()
    features = noise(posterior, 3)
    q, p = posterior(features), prior()
    z = q.sample((20_000,))
    gap = q.log_prob(z) - p.log_prob(z)
    error = gap.std(0) / math.sqrt(len(z))
    assert (gap.mean(0) > -5 * error).all()  # no divergence is negative
    try:
        kl = kl_divergence(q, p)
    except NotImplementedError:
        assert name in ("distribution", "iaf", "mixture_of_gaussians", "planar", "spline")
        return
    assert ((gap.mean(0) - kl).abs() < 5 * error).all()
    z, again = rsample_kl(q, p)
    assert z.shape == (3, D)
    torch.testing.assert_close(again, kl)


@pytest.mark.parametrize("family", families())
def test_every_family_of_torch_is_a_posterior(family):
    posterior = make_posterior("distribution", family=family)
    q = posterior(noise(posterior, 5))
    assert (q.batch_shape, q.event_shape) == ((5,), (D,))
    z = q.rsample((4,))
    assert z.shape == (4, 5, D)
    grads = torch.autograd.grad(z.sum() + q.log_prob(z).sum(), list(posterior.parameters()))
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in grads)


def test_families_that_do_not_fit_are_told_from_those_that_do():
    assert {"Normal", "Laplace", "Gamma", "StudentT", "Dirichlet", "Beta"} <= set(families())
    for family in ("Gama", "Poisson", "MultivariateNormal", "Distribution", "kl"):
        with pytest.raises(ValueError, match=rf"'{family}' is not a family that fits\. .*Gamma, "):
            make_posterior("distribution", family=family)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("categorical", {"classes": 3}, "divide latent_dim, got 3 and 10"),
        ("categorical", {"temperature": 0.0}, "temperature must be positive"),
        ("bernoulli", {"temperature": -1.0}, "temperature must be positive"),
        ("mixture_of_gaussians", {"components": 0}, "at least 1, got 0"),
        ("planar", {"transforms": 0}, "at least 1, got 0"),
        ("iaf", {"transforms": 0}, "at least 1, got 0"),
        ("spline", {"bins": 1}, "bins must be at least 2, got 1"),
    ],
)
def test_bad_options_of_posteriors(name, options, said):
    with pytest.raises(ValueError, match=said):
        make_posterior(name, **options)


def test_a_sample_of_the_inverse_flow_has_the_density_of_the_flow():
    posterior = make_posterior("iaf", transforms=3).double()
    q = posterior(noise(posterior, 6))
    z = q.rsample((2,))
    torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()), rtol=1e-6, atol=1e-6)


# Priors


@every_prior
def test_a_prior(name):
    prior, _ = make_prior(name)
    assert isinstance(prior, Prior)
    p = prior()
    assert (p.batch_shape, p.event_shape) == ((), (D,))
    for shape in [(), (2, 5), (0,)]:
        z = p.sample(shape)
        assert z.shape == (*shape, D) and not z.requires_grad
        assert p.log_prob(z).shape == shape and p.log_prob(z).isfinite().all()
    z = p.sample((64,)).requires_grad_()
    leaves = [z, *prior.parameters()]
    for grad in torch.autograd.grad(prior().log_prob(z).sum(), leaves):
        assert grad.isfinite().all() and grad.abs().sum() > (0 if prior.spaces == ("real",) else -1)


@every_prior
def test_the_state_of_a_prior_is_complete(name):
    prior, model = make_prior(name)
    torch.manual_seed(1)
    _, other = make_prior(name)
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    z = prior().sample((4,))
    expected = prior().log_prob(z)
    torch.testing.assert_close(other.prior().log_prob(z), expected)
    other.double()
    assert other.prior().sample().dtype == F64
    again = other.prior().log_prob(z.double())
    assert again.dtype == F64
    torch.testing.assert_close(again.float(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in own("priors") if fits("diagonal_gaussian", n)])
def test_a_prior_integrates_to_one_and_samples_from_its_density(name):
    prior, model = make_prior(name, latent_dim=1)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.double()
    p = prior()
    x = torch.linspace(-60, 60, 200_001, dtype=F64)
    with torch.no_grad():
        density = p.log_prob(x[:, None]).exp()
        z = p.sample((20_000,))[:, 0]
    torch.testing.assert_close(
        torch.trapezoid(density, x), torch.ones((), dtype=F64), rtol=1e-3, atol=0
    )
    mean = torch.trapezoid(density * x, x)
    assert (z.mean() - mean).abs() < 5 * z.std() / math.sqrt(len(z)) + 1e-2


def test_a_vampprior_is_the_mixture_of_the_posteriors_of_its_inputs():
    for posterior in ("diagonal_gaussian", "full_gaussian", "iaf", "planar"):
        model = VAE(
            (1, 4, 4), 3, posterior=posterior, prior="vampprior", prior_args={"components": 7}
        ).double()
        with torch.no_grad():
            model.prior.pseudo_inputs.uniform_()
            q = model.encode(model.prior.pseudo_inputs)
            z = torch.randn(5, 3, dtype=F64)
            each = q.log_prob(z[:, None])
            expected = each.logsumexp(1) - math.log(7)
            torch.testing.assert_close(model.prior().log_prob(z), expected)
        names = [name for name, _ in model.named_parameters() if name.startswith("prior")]
        assert names == ["prior.pseudo_inputs"]  # the posterior's belong to the posterior
        (grad,) = torch.autograd.grad(model.prior().log_prob(z).sum(), model.prior.pseudo_inputs)
        assert grad.abs().sum() > 0


def test_a_vampprior_starts_at_the_data():
    x = torch.rand(40, 1, 4, 4)
    model = VAE((1, 4, 4), 2, prior="vampprior", prior_args={"components": 10})
    model.init_prior(x)
    inputs = model.prior.pseudo_inputs
    assert all(bool((row == x).flatten(1).all(1).any()) for row in inputs)
    assert len(inputs.unique(dim=0)) == 10
    model = VAE(
        (1, 4, 4), 2, prior="vampprior", prior_args={"components": 50, "noise": 0.0, "init": "mean"}
    )
    model.init_prior(x)
    torch.testing.assert_close(model.prior.pseudo_inputs[3], x.mean(0))
    model = VAE((1, 4, 4), 2, prior="vampprior", likelihood="poisson")
    model.init_prior(x.round())
    assert model.prior.pseudo_inputs.max() <= math.log(2) + 1e-6  # as the encoder sees them
    with pytest.raises(RuntimeError, match="must be part of a model"):
        registry.priors.create("vampprior", latent_dim=2)()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("mixture_of_gaussians", {"components": 0}, "components must be at least 1"),
        ("mixture_of_gaussians", {"spread": 0.0}, "spread positive"),
        ("vampprior", {"init": "median"}, "init 'rows' or 'mean'"),
        ("uniform_categorical", {"classes": 3}, "divide latent_dim, got 3 and 10"),
        ("uniform_categorical", {"classes": 5}, "the posterior has no classes"),
        ("flow", {"transforms": 0}, "transforms must be at least 1"),
    ],
)
def test_bad_options_of_priors(name, options, said):
    with pytest.raises(ValueError, match=said):
        make_prior(name, **options)


# Together


@pytest.mark.parametrize(("posterior", "prior"), PAIRS)
def test_every_pair_learns(posterior, prior):
    model = VAE((1, 6, 5), D, posterior=posterior, prior=prior)
    objective = registry.objectives.create("elbo", estimator="sampled", num_samples=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    x = (torch.rand(16, 1, 6, 5) < 0.2).float()
    model.init_prior(x)
    losses = []
    for _ in range(12):
        loss = objective(model, x).loss
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < sum(losses[:3])
    assert model.sample(2).shape == model.reconstruct(x[:2]).shape == (2, 1, 6, 5)
    assert model.log_marginal(x, 3).isfinite().all()


def test_latents_of_different_spaces_are_refused():
    with pytest.raises(
        ValueError,
        match=r"CategoricalPosterior has one_hot latents.*fit the post"
        r"erior: uniform_categorical; .*fit the prior: delta_gaussian, diagonal_gaussian",
    ):
        VAE((1, 4, 4), D, posterior="categorical")
    with pytest.raises(ValueError, match=r"takes one_hot or binary ones.*prior: bernoulli, cat"):
        VAE((1, 4, 4), D, prior="uniform_categorical")


def test_zuko_is_asked_for_by_name_and_changes_nothing(monkeypatch):
    validates = torch.distributions.Distribution._validate_args
    make_posterior("iaf")
    assert torch.distributions.Distribution._validate_args == validates
    monkeypatch.setitem(sys.modules, "zuko", None)
    for make in (lambda: make_posterior("spline"), lambda: make_prior("flow")):
        with pytest.raises(ImportError, match=r"flows need zuko.*pip install"):
            make()


def test_importance_weights_of_discrete_latents_are_exact():
    """All codes can be enumerated: log p(x) is known."""
    model = VAE((1, 3, 3), 4, posterior="bernoulli", prior="uniform_categorical")
    x = (torch.rand(3, 1, 3, 3) < 0.5).float()
    with torch.no_grad():
        codes = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
        each = model.decode(codes[:, None]).log_prob(x) + model.prior().log_prob(codes)[:, None]
        truth = each.logsumexp(0)
    torch.testing.assert_close(model.log_marginal(x, 20_000), truth, rtol=0, atol=0.02)
