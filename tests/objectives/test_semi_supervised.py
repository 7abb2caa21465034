"""M2 and M1+M2: exact sums over the classes, and what labels change."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from pyvae import VAE
from pyvae.cli import main
from pyvae.data import load
from pyvae.functional import bernoulli_log_prob
from pyvae.models import M1M2, M2
from pyvae.objectives import Batch, SemiSupervised
from pyvae.training import RunFolder

K, D = 3, 2


def m2(**options):
    torch.manual_seed(0)
    return M2((1, 4, 4), classes=K, latent_dim=D, **options)


def m1m2():
    torch.manual_seed(0)
    return M1M2((1, 4, 4), classes=K, latent_dim=D, hidden=(16,))


def data(rows=6, y=None):
    torch.manual_seed(1)
    x = torch.rand(rows, 1, 4, 4).round()
    return Batch(x, torch.arange(rows) % K if y is None else torch.tensor(y))


def without_spread(model):
    """Samples of z become the means of q(z|x, y), which are 0."""
    with torch.no_grad():
        for p in model.vae.posterior.parameters():
            p.zero_()
        model.vae.posterior.linear.bias[D:] = -60.0


def loss(model, batch, **options):
    torch.manual_seed(2)
    return SemiSupervised(**options)(model, batch)


def test_a_labelled_row_has_the_bound_of_the_conditional_model():
    """L(x, y) is the ELBO of the conditional VAE at that class, and log p(y)."""
    model, batch = m2(), data()
    with torch.no_grad():
        model.prior_logits.copy_(torch.tensor([0.5, -1.0, 0.0]))
    without_spread(model)
    terms = loss(model, batch).terms
    codes = one_hot(batch.y, K).float()
    q = model.vae.encode(batch.x, condition=codes)
    z = q.mean
    log_likelihood = model.vae.decode(z, condition=codes).log_prob(batch.x)
    log_p = torch.log_softmax(model.prior_logits, 0)[batch.y]
    kl = torch.distributions.kl_divergence(q, model.vae.prior())
    expected = (log_likelihood - kl + log_p).mean()
    torch.testing.assert_close(terms["elbo"], expected)


def test_a_row_without_a_label_sums_over_the_classes():
    """U is the mean of L under q(y|x) and the entropy; where q(y|x) is sure, it is L itself."""
    model, batch = m2(), data()
    without_spread(model)
    hidden = Batch(batch.x, torch.full((6,), -1))
    with torch.no_grad():
        model.classifier.output.weight.zero_()
        model.classifier.output.bias.copy_(torch.tensor([0.0, 90.0, 0.0]))
    sure = Batch(batch.x, torch.full((6,), 1))
    torch.testing.assert_close(
        loss(model, hidden).terms["elbo"], loss(model, sure, alpha=0).terms["elbo"]
    )
    with torch.no_grad():
        model.classifier.output.bias.zero_()
    each = [
        loss(model, Batch(batch.x, torch.full((6,), y))).terms["elbo"].double() for y in range(K)
    ]
    found = loss(model, hidden).terms["elbo"].double()
    torch.testing.assert_close(found, sum(each) / K + math.log(K), atol=1e-5, rtol=0)


def test_unlabelled_bound_is_below_the_marginal_likelihood():
    model, batch = m2(), data(40)
    hidden = Batch(batch.x, torch.full((40,), -1))
    bound = loss(model, hidden, num_samples=20).terms["elbo"]
    with torch.no_grad():
        exact = model.log_marginal(batch.x, 1000).mean()
    assert bound < exact
    optimizer = torch.optim.Adam(model.recognition_parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        SemiSupervised()(model, hidden).loss.backward()
        optimizer.step()
    with torch.no_grad():
        exact = model.log_marginal(batch.x, 1000).mean()
    assert 0 < exact - loss(model, hidden, num_samples=20).terms["elbo"] < 0.3


def test_labels_alone_move_the_classifier_by_cross_entropy():
    model, batch = m2(), data(6, [0, 1, -1, 2, -1, -1])
    logits = model.class_logits(batch.x)
    expected = cross_entropy(logits[[0, 1, 3]], torch.tensor([0, 1, 2]))
    terms = loss(model, batch, alpha=3.0).terms
    torch.testing.assert_close(terms["classification"], expected.detach())
    right = (logits.argmax(1) == batch.y)[[0, 1, 3]].float().mean()
    assert terms["accuracy"] == right
    difference = loss(model, batch, alpha=3.0).loss - loss(model, batch, alpha=0).loss
    torch.testing.assert_close(difference, 3 * expected)


@pytest.mark.parametrize("y", [[0, 1, 2, 0, 1, 2], [0, 1, -1, 2, -1, -1]])
def test_beta_weighs_the_kl_of_the_code(y):
    model, batch = m2(), data(6, y)
    once, more = loss(model, batch), loss(model, batch, beta=3.0)
    assert once.terms["kl"] > 0
    torch.testing.assert_close(more.loss - once.loss, 2 * once.terms["kl"])
    assert more.terms == once.terms
    with pytest.raises(ValueError, match="beta must not be negative"):
        SemiSupervised(beta=-1)


def test_beta_comes_from_above():
    """So that what is trained at the end is the bound itself."""
    model, batch = m2(), data()
    falling = SemiSupervised(beta=1.0, warm_up_steps=4, warm_up_from=5.0)
    assert falling.scheduled and not SemiSupervised(beta=3.0).scheduled
    assert "beta will reach 3" in falling.notes(3, 1)[0] and not falling.notes(5, 1)
    for step, beta in enumerate([5.0, 4.0, 3.0, 2.0, 1.0, 1.0]):
        falling.step_begin(step, 0)
        torch.manual_seed(2)
        assert falling(model, batch).loss == loss(model, batch, beta=beta).loss


@pytest.mark.parametrize("samples", [1, 3])
def test_pairs_that_do_not_count_change_nothing(monkeypatch, samples):
    """The CPU leaves out the classes that a label excludes; a compiled graph computes all pairs."""
    model, batch = m2(), data(6, [0, 1, -1, 2, -1, -1])
    without_spread(model)
    decoded, decode = [], model.decode

    def counted(z, **side):
        decoded.append(z.shape[-2])
        return decode(z, **side)

    monkeypatch.setattr(model, "decode", counted)

    def gradients():
        result = loss(model, batch, num_samples=samples)
        weights = [p for p in model.parameters() if p.requires_grad]
        return [*result.terms.values(), *torch.autograd.grad(result.loss, weights)]

    few = gradients()
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(gradients(), few)
    assert decoded == [3 + 3 * K, 6 * K]


@pytest.mark.parametrize("phase", ["m1", "m2"])
def test_rows_that_are_repeated_count_once(phase):
    """Twice the same rows, each of half the weight, give the bounds of the rows once."""
    model, batch = m1m2(), data(400, [0, 1, 2, -1] * 100)
    twice = batch.take(torch.cat([torch.arange(400), torch.arange(0, 400, 4)]))
    weight = torch.ones(500)
    weight[torch.cat([torch.arange(0, 400, 4), torch.arange(400, 500)])] = 0.5
    weighted = Batch(twice.x, twice.y, {"weight": weight})
    name = "elbo" if phase == "m1" else "elbo_of_codes"
    with torch.no_grad():
        options = {"num_samples": 200}
        once = SemiSupervised(**options)(model, batch, phase=phase).terms[name]
        found = SemiSupervised(**options)(model, weighted, phase=phase).terms[name]
    torch.testing.assert_close(found, once, atol=0.1, rtol=0.02)
    plain = SemiSupervised()(model, Batch(twice.x[300:], twice.y[300:]), phase=phase)
    assert plain.loss.isfinite()


def test_no_label_at_all():
    model, batch = m2(), data()
    without = loss(model, Batch(batch.x))
    assert without.terms["accuracy"] == 0 and without.terms["classification"] == 0
    assert without.loss == loss(model, Batch(batch.x, torch.full((6,), -1))).loss


def test_the_prior_of_the_class_weights():
    objective = SemiSupervised(alpha=0, concentration=2.0)
    objective.data_size = 10
    model, batch = m2(), data()
    torch.manual_seed(2)
    more = objective(model, batch).loss - loss(model, batch, alpha=0).loss
    torch.testing.assert_close(more, torch.tensor(K * math.log(K) / 10))


@pytest.mark.parametrize("make", [m2, m1m2])
def test_the_interface_of_a_model(make, tmp_path):
    model, batch = make(), data()
    q, p = model.infer(batch)
    z = q.sample((4,))
    assert z.shape == (4, 6, model.latent_dim)
    assert q.log_prob(z).shape == p.log_prob(z).shape == (4, 6)
    assert model.decode(z).log_prob(batch.x).shape == (4, 6)
    assert model.sample(5).shape == (5, 1, 4, 4)
    assert model.of_class(5, 2).shape == (5, 1, 4, 4)
    assert model.log_marginal(batch.x, 20).shape == (6,)
    model.save_pretrained(tmp_path)
    same = type(model).from_pretrained(tmp_path)
    assert torch.equal(same.class_logits(batch.x), model.class_logits(batch.x))
    with pytest.raises(ValueError, match=r"decode: z must have shape \(\*batch, "):
        model.decode(torch.zeros(3, 1))


def test_new_data_of_a_class_take_side_inputs():
    counts = {"likelihood": "negative_binomial", "data_shape": (4,)}
    for model in (M2(classes=K, latent_dim=D, **counts), M1M2(classes=K, latent_dim=D, **counts)):
        drawn = model.of_class(5, 1, library=torch.full((5,), 40.0))
        torch.testing.assert_close(drawn.sum(1), torch.full((5,), 40.0))


@pytest.mark.parametrize("make", [m2, m1m2])
def test_importance_sampling_sums_over_the_classes(make):
    """log p(x) of classes that explain nothing is that of the model below."""
    model, batch = make(), data(3)
    with torch.no_grad():
        decoder = (model.vae if make is m2 else model.m1).decoder
        decoder.output.weight.zero_()
        expected = bernoulli_log_prob(batch.x, decoder.output.bias.reshape(1, 1, 4, 4))
        torch.manual_seed(0)
        found = model.log_marginal(batch.x, 100_000)
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)


def test_m1m2_trains_both_models_in_turn():
    model, batch = m1m2(), data(6, [0, 1, -1, 2, -1, -1])
    objective = SemiSupervised()
    first, second = objective.phases(model)
    objective(model, batch, phase=first.name).loss.backward()
    assert all(p.grad is None for p in second.parameters)
    model.zero_grad()
    objective(model, batch, phase=second.name).loss.backward()
    assert all(p.grad is None for p in first.parameters)
    assert {*first.parameters, *second.parameters} == set(model.parameters())


def test_few_labels_go_a_long_way():
    """Two kinds of images, one label of each: the others are found by what they look like."""
    torch.manual_seed(0)
    kind = torch.arange(200) % 2
    x = (torch.rand(200, 1, 4, 4) < torch.where(kind == 1, 0.85, 0.15).reshape(-1, 1, 1, 1)).float()
    y = torch.full((200,), -1)
    y[:2] = kind[:2]
    y, x = y.repeat(2), x.repeat(2, 1, 1, 1)
    model = M2((1, 4, 4), classes=2, latent_dim=1)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        SemiSupervised(alpha=20)(model, Batch(x, y)).loss.backward()
        optimizer.step()
    found = model.class_logits(x[:200]).argmax(1)
    assert (found == kind).float().mean() > 0.97


@pytest.mark.recorded
def test_m2_halves_the_error_of_the_labels_alone(data_dir, tmp_path):
    """On MNIST with ten labels a class; the same classifier, with and without the other digits."""
    options = ["--epochs", "8", "--precision", "bf16", "--eval-samples", "0", "--quiet"]
    assert main(["train", "--preset", "m2", "--out", str(tmp_path / "run"), *options]) == 0
    both = RunFolder(tmp_path / "run").model()
    mnist = load("mnist", labels_per_class=10, labelled_share=0)
    kept = mnist.train.y >= 0
    grey, y = mnist.train.x[kept].float() / 255, mnist.train.y[kept]
    alone = M2(**both.config).train()
    optimizer = torch.optim.Adam(alone.classifier.parameters(), 1e-3)
    for _ in range(1000):
        optimizer.zero_grad()
        cross_entropy(alone.class_logits(grey.bernoulli()), y).backward()
        optimizer.step()

    def error(model):
        with torch.no_grad():
            found = model.eval().class_logits(mnist.test.x.float() / 255).argmax(1)
        return (found != mnist.test.y).double().mean()

    assert len(y) == 100
    assert error(both) <= error(alone) / 2


def test_what_does_not_fit_is_said():
    with pytest.raises(TypeError, match="needs a model with a class, m2 or m1m2, got a VAE"):
        SemiSupervised()(VAE((1, 4, 4), 2), data())
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        M2((1, 4, 4), classes=1)
    with pytest.raises(ValueError, match="alpha must not be negative"):
        SemiSupervised(alpha=-1.0)
    with pytest.raises(NotImplementedError, match="VAE tells no classes apart; m2 and m1m2 do"):
        VAE((1, 4, 4), 2).class_logits(torch.zeros(1, 1, 4, 4))
