"""Restricted Boltzmann machines against the enumeration of all their states."""

import itertools
import json
import math

import pytest
import torch
from torch.testing import assert_close

from pyvae import VAE, registry
from pyvae.batch import Batch
from pyvae.cli import main
from pyvae.metrics import evaluate
from pyvae.models import RBM
from pyvae.models.rbm import model as rbm_model
from pyvae.models.rbm.partition import anneal
from pyvae.objectives import ELBO, ContrastiveDivergence

F64 = torch.float64


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(shape=(1, 2, 2), hidden=3, scale=1.0, **options):
    model = RBM(shape, hidden, **options).double()
    with torch.no_grad():
        for p in (model.up.weight, model.up.bias, model.visible):
            p.normal_(std=scale)
    return model


def gaussian(scale=1.0, **options):
    options = {"sigma": 0.6, **options}
    return make((3,), 4, scale, likelihood="gaussian", likelihood_args=options)


def states(n):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=F64)


def joint(model):
    """-E(v, h) of all states (2^D, 2^H), by the definition."""
    v, h = states(len(model.visible)), states(model.latent_dim)
    pairs = v @ model.up.weight.T @ h.T
    return v, h, pairs + (v @ model.visible)[:, None] + h @ model.up.bias


def test_everything_is_that_of_the_table_of_all_states():
    model = make()
    v, h, log_joint = joint(model)
    log_z = log_joint.logsumexp((0, 1))
    log_v, log_h = log_joint.logsumexp(1) - log_z, log_joint.logsumexp(0) - log_z
    x = v.reshape(-1, 1, 2, 2)
    assert_close(model.log_z(), log_z)
    assert_close(-model.free_energy(x), log_v + log_z)
    assert_close(model.log_prob(x), log_v)
    assert_close(model.log_prob(x).exp().sum(), torch.tensor(1.0, dtype=F64))
    assert_close(model.prior().log_prob(h), log_h)
    recognised = model.encode(x).log_prob(h[:, None])  # (2^H, 2^D)
    assert_close(recognised.T, log_joint - log_joint.logsumexp(1, keepdim=True))
    generated = model.decode(h).log_prob(x[:, None])  # (2^D, 2^H)
    assert_close(generated, log_joint - log_joint.logsumexp(0))
    features = (recognised.T.exp()[..., None] * h).sum(1)
    assert_close(model.encode(x).mean, features)


@pytest.mark.parametrize("hidden", [2, 6])
def test_log_z_is_a_sum_over_either_side(hidden):
    model = make(hidden=hidden)
    assert model.energy.smaller_side == min(hidden, 4)
    assert_close(model.log_z(), joint(model)[2].logsumexp((0, 1)))


def test_real_units_have_the_density_of_a_mixture_of_gaussians():
    """p(v) = sum_h p(h) N(v; b + W^T h, s^2 I): the density is that of an explicit mixture."""
    for options in ({}, {"variance": "learned"}):
        model = gaussian(**options)
        h = states(4)
        log_weights = model.prior().log_prob(h)
        assert_close(log_weights.exp().sum(), torch.tensor(1.0, dtype=F64))
        x = torch.randn(6, 3, dtype=F64)
        each = torch.distributions.Normal(model.visible + h @ model.up.weight, 0.6)
        truth = (log_weights + each.log_prob(x[:, None]).sum(-1)).logsumexp(-1)
        assert_close(model.log_prob(x), truth)
        assert_close(-model.free_energy(x) - model.log_z(), truth)


def test_standardized_units_have_the_density_of_the_data():
    plain, model = gaussian(), gaussian(standardize=True)
    model.load_state_dict(plain.state_dict(), strict=False)
    mean, std = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2.0, 0.5, 4.0])
    model.likelihood.init_from_statistics(mean, std)
    u = torch.randn(5, 3, dtype=F64)
    x = mean + std * u
    assert_close(model.log_prob(x), plain.log_prob(u) - std.double().log().sum())
    drawn = model.gibbs(x.expand(5, 3), 3)
    assert drawn.shape == (5, 3) and drawn.dtype == F64


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_long_chains_have_the_marginals_of_the_table(kind):
    model = make(scale=0.8) if kind == "bernoulli" else gaussian(scale=0.3)
    h = states(model.latent_dim)
    truth = (model.prior().log_prob(h).exp()[:, None] * h).sum(0)
    drawn = model.encode(model.gibbs(model.start(20_000), 30)).sample()
    assert (drawn.mean(0) - truth).abs().max() < 5 * 0.5 / math.sqrt(20_000)
    second = (model.prior().log_prob(h).exp()[:, None, None] * h[:, :, None] * h[:, None]).sum(0)
    assert (drawn.T @ drawn / 20_000 - second).abs().max() < 5 * 0.5 / math.sqrt(20_000)
    some = model.prior().sample((5, 600))  # of 100 chains
    assert some.shape == (5, 600, model.latent_dim)
    assert (some.mean((0, 1)) - truth).abs().max() < 0.1
    assert model.prior().sample((0,)).shape == (0, model.latent_dim)
    v = model.gibbs(model.start(20_000), 30).flatten(1)
    mean = (model.prior().log_prob(h).exp()[:, None] * model.decode(h).mean.flatten(1)).sum(0)
    assert (v.mean(0) - mean).abs().max() < 5 * v.std(0).max() / math.sqrt(20_000)


def test_the_bound_is_the_density_whatever_the_sample():
    model = make()
    x = torch.rand(5, 1, 2, 2).round().double()
    figures = evaluate(model, iter([(x, {})]), num_samples=3)
    assert figures.elbo == pytest.approx(model.log_prob(x).mean().item())
    assert figures.log_likelihood == pytest.approx(figures.elbo)


def test_small_machines_have_the_gradient_of_log_p():
    """By the ELBO, too, of which the score has no part: every h gives the same signal."""
    model = make()
    v, h, _ = joint(model)
    x = torch.rand(7, 4).round().double()
    exact = torch.autograd.grad(model.log_prob(x.reshape(-1, 1, 2, 2)).mean(), model.up.weight)[0]
    log_joint = joint(model)[2]
    p = (log_joint - log_joint.logsumexp((0, 1))).exp()
    data = model.encode(x.reshape(-1, 1, 2, 2)).mean.T @ x / len(x)
    assert_close(exact, data - torch.einsum("vh,hi,vj->ij", p, h, v))
    many = x.repeat(4000, 1).reshape(-1, 1, 2, 2)
    loss = ELBO(estimator="reinforce", baseline="none")(model, many).loss
    assert_close(loss, -model.log_prob(many).mean())


# Contrastive divergence


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("persistent", [False, True])
def test_its_gradient_is_the_difference_of_statistics(kind, persistent, monkeypatch):
    """<v P(h|v)> of the data less that of the samples (Hinton 2002)."""
    model = make(scale=0.5) if kind == "bernoulli" else gaussian()
    objective = ContrastiveDivergence(steps=3, persistent=persistent, chains=9)
    objective.bind(model)
    x = torch.rand(6, *model.data_shape).round().double()
    seen, gibbs = [], model.gibbs
    monkeypatch.setattr(model, "gibbs", lambda *a: seen.append((*a, gibbs(*a))) or seen[-1][-1])
    result = objective(model, x)
    ((start, steps, fantasy),) = seen
    assert steps == 3 and len(start) == len(fantasy) == (9 if persistent else 6)
    found = torch.autograd.grad(result.loss, [model.up.weight, model.up.bias, model.visible])
    unit = 1.0 if kind == "bernoulli" else 0.36

    def statistics(v):
        p, v = model.encode(v).mean, v.flatten(1)
        return p.T @ v / len(v) / unit, p.mean(0), v.mean(0) / unit

    for grad, data, model_s in zip(found, statistics(x), statistics(fantasy), strict=True):
        assert_close(grad, model_s - data)


def test_persistent_chains_go_on_from_where_they_were():
    model = make()
    objective = ContrastiveDivergence(persistent=True, chains=5)
    objective.bind(model)
    assert "states" in objective.state_dict() and objective.states.shape == (5, 1, 2, 2)
    objective.states.fill_(1.0)
    before = objective.states.clone()
    objective.eval()(model, torch.zeros(2, 1, 2, 2))
    assert torch.equal(objective.states, before)
    objective.train()(model, torch.zeros(2, 1, 2, 2))
    assert not torch.equal(objective.states, before)
    assert set(objective.states.unique().tolist()) <= {0.0, 1.0}


def test_samples_of_the_model_itself_leave_nothing_to_learn():
    model = make()
    v, _, log_joint = joint(model)
    p_v = (log_joint.logsumexp(1) - log_joint.logsumexp((0, 1))).exp()
    index = torch.multinomial(p_v, 40_000, replacement=True)
    loss = ContrastiveDivergence()(model, v[index].reshape(-1, 1, 2, 2)).loss
    grads = torch.autograd.grad(loss, [model.up.weight, model.up.bias, model.visible])
    assert max(g.abs().max() for g in grads) < 0.03


@pytest.mark.parametrize("persistent", [False, True])
def test_training_raises_log_p(persistent):
    torch.manual_seed(1)
    data = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]).repeat(30, 1).reshape(-1, 1, 2, 2)
    model = RBM((1, 2, 2), 4)
    objective = ContrastiveDivergence(persistent=persistent, chains=60)
    objective.bind(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(300):
        optimizer.zero_grad()
        objective(model, data).loss.backward()
        optimizer.step()
    log_p = model.log_prob(data).mean().item()
    assert -math.log(16) + 0.7 < log_p < -math.log(2)  # from all images alike to two alone


# log Z by annealed importance sampling


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_the_estimate_of_log_z(kind):
    """Of 16 hidden units, within 0.01 nats of the sum."""
    if kind == "bernoulli":
        model = make((1, 5, 5), 16, scale=0.2)
    else:
        model = make((6,), 16, scale=0.2, likelihood="gaussian")
    base = torch.full_like(model.visible, 0.3)
    log_z, error = anneal(model.energy, base, 800, 500)
    with torch.no_grad():
        assert (log_z - model.log_z()).abs() < 0.01
    assert 0 < error < 0.006


def test_large_machines_estimate_log_z_once_for_the_same_weights(monkeypatch):
    model = make((1, 5, 5), 16, scale=0.3, ais_steps=200)
    exact = model.log_prob(x := torch.rand(4, 1, 5, 5).round().double()).detach()
    monkeypatch.setattr(rbm_model, "EXACT", 3)
    calls, annealed = [], rbm_model.anneal
    monkeypatch.setattr(rbm_model, "anneal", lambda *a: calls.append(a) or annealed(*a))
    before = torch.get_rng_state()
    first = model.log_prob(x)
    assert torch.equal(torch.get_rng_state(), before) and not first.requires_grad
    assert (first - exact).abs().max() < 0.1
    torch.manual_seed(7)
    assert torch.equal(model.log_prob(x), first) and len(calls) == 1
    with torch.no_grad():
        model.visible.add_(0.1)
    assert not torch.equal(model.log_prob(x), first) and len(calls) == 2
    with pytest.raises(TypeError, match="has no gradient; the objective contrastive_divergence"):
        ELBO(estimator="reinforce")(model, x)


# What goes with it


OBJECTIVES = [n for n in registry.objectives.names() if not registry.objectives.is_plugin(n)]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_of_other_models_say_so(name):
    objective, model = registry.objectives.create(name), RBM((1, 4, 4), 3)
    objective.data_size = 100
    x = torch.rand(6, 1, 4, 4).round()
    if name in ("autoencoder", "denoising"):  # one of tied weights, by P(h|v)
        assert objective(model, Batch(x)).loss.isfinite()
        return
    if name == "contrastive_divergence":
        assert objective(model, Batch(x[:1])).loss.isfinite()
        with pytest.raises(TypeError, match="with a free energy, such as rbm, got a VAE"):
            objective(VAE((1, 4, 4), 2), x)
        return
    with pytest.raises((TypeError, NotImplementedError)) as raised:
        objective.bind(model)
        for phase in objective.phases(model):
            objective(model, x, phase=phase.name)
    said = str(raised.value)
    if objective.models is not None:
        assert all(name in said for name in objective.models)
        return
    assert "posterior" in said or "the objective contrastive_divergence trains" in said


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"latent_dim": 0}, ValueError, "latent_dim must be positive"),
        ({"ais_steps": 0}, ValueError, "ais_steps must be positive"),
        ({"likelihood": "poisson"}, TypeError, "are bernoulli, or gaussian .* got the PoissonLi"),
        (
            {"likelihood": "gaussian", "likelihood_args": {"variance": "per_pixel"}},
            TypeError,
            "got the GaussianLikelihood with variance='per_pixel'",
        ),
        (
            {"likelihood": "gaussian", "likelihood_args": {"mean": "sigmoid"}},
            TypeError,
            "got the GaussianLikelihood with mean='sigmoid'",
        ),
    ],
)
def test_what_does_not_fit(options, error, message):
    with pytest.raises(error, match=message):
        RBM((1, 4, 4), **options)


def test_wrong_shapes_and_numbers_are_said():
    model = RBM((1, 4, 4), 3)
    with pytest.raises(ValueError, match=r"z must have shape \(\*batch, 3\), got \(2, 4\)"):
        model.decode(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"x must have shape \(B, 1, 4, 4\), got"):
        model.encode(torch.zeros(2, 16))
    for options in ({"steps": 0}, {"chains": 0}):
        with pytest.raises(ValueError, match="steps and chains must be at least 1"):
            ContrastiveDivergence(**options)


def test_saved_and_loaded_with_where_its_chains_begin(tmp_path):
    model = make((1, 3, 3), 4)
    x = torch.rand(6, 1, 3, 3).round()
    model.init_prior(x)
    assert_close(torch.sigmoid(model.base), x.double().mean(0).flatten().clamp(1e-3, 1 - 1e-3))
    model.init_output(x.mean(0))
    assert_close(model.visible.data, model.base)
    model.save_pretrained(tmp_path)
    again = RBM.from_pretrained(tmp_path)
    assert torch.equal(again.base, model.base)
    assert_close(again.log_prob(x), model.log_prob(x), rtol=0, atol=0)
    assert again.sample(3).shape == x[:3].shape and again.reconstruct(x).shape == x.shape
    assert again.filters().shape == (4, 1, 3, 3) and again(x).shape == x.shape


def test_a_run_from_the_command_line(tmp_path, capsys, one_thread, monkeypatch):
    """What is evaluated again equals the results, log Z by annealing included."""
    monkeypatch.setattr(rbm_model, "EXACT", 3)
    run = tmp_path / "run"
    small = ["--latent-dim", "4", "--model-args", "ais_steps=20", "ais_chains=5", "gibbs_steps=5"]
    small += ["--steps", "4", "--eval-samples", "0", "--out", str(run), "--quiet"]
    assert main(["train", "--preset", "rbm", "--dataset", "digits", *small]) == 0
    results = json.loads((run / "results.json").read_text())
    assert (run / "filters.png").is_file() and (run / "samples.png").is_file()
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {key: results[key] for key in again} == again
    assert main(["evaluate", str(run), "--ais", "2"]) == 2
    assert "--ais: annealed importance sampling over latents moves" in capsys.readouterr().err
    assert main(["train", "--model", "rbm", "--out", str(tmp_path / "other")]) == 2
    assert "estimator='reinforce' takes it" in capsys.readouterr().err
    options = ["--model", "rbm", "--encoder", "conv", "--objective", "contrastive_divergence"]
    assert main(["train", *options, "--out", str(tmp_path / "other")]) == 2
    assert "'rbm' does not take --encoder" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
