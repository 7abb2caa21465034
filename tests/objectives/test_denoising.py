"""Autoencoders without a bound, and objectives whose encoder sees noise."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent

from pyvae import VAE
from pyvae.objectives import ELBO, IWAE, Autoencoder, Batch, Denoising, FactorVAE
from pyvae.objectives.denoising import corrupted

N = 6


@pytest.fixture
def x():
    return torch.rand(9, N, dtype=torch.float64)


@pytest.fixture
def model():
    return VAE((N,), 2, likelihood="gaussian").double()


def loss_with(objective, model, batch):
    torch.manual_seed(1)
    return objective(model, batch).loss


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_how_much_is_corrupted(level):
    x = torch.full((400, 250), 0.5)
    masked = corrupted(x, "masking", level, low=-1.0)
    assert ((masked == -1).float().mean() - level).abs() < 0.01
    assert ((masked == 0.5) | (masked == -1)).all()
    peppered = corrupted(x, "salt_and_pepper", level, low=-1.0, high=2.0)
    for value in (-1.0, 2.0):
        assert ((peppered == value).float().mean() - level / 2).abs() < 0.01
    assert ((peppered == 0.5).float().mean() - (1 - level)).abs() < 0.01
    noise = corrupted(x, "gaussian", level) - x
    assert noise.mean().abs() < 0.02 and (noise.std() - level).abs() < 0.02


def test_the_autoencoder_uses_the_mean_alone(model, x):
    result = Autoencoder()(model, x)
    error = (model.decode(model.encode(x).mean).mean - x).square().sum(1)
    constant = N / 2 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))
    torch.testing.assert_close(result.loss, (error / 2).mean() + constant)
    assert Autoencoder()(model, x).loss == result.loss  # nothing is drawn
    grad = torch.autograd.grad(result.loss, model.posterior.linear.weight)[0]
    assert grad[:2].abs().sum() > 0 and grad[2:].abs().sum() == 0


@pytest.mark.parametrize("parts", ["mlp", "conv"])
def test_an_autoencoder_learns_what_a_code_can_hold(parts):
    """Rank-one images go through one number."""
    model = VAE((1, 4, 4), 1, encoder=parts, decoder=parts, likelihood="gaussian")
    pattern = torch.randn(1, 4, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(400):
        x = torch.randn(64, 1, 1, 1) * pattern
        optimizer.zero_grad()
        loss = Autoencoder()(model, x).loss
        loss.backward()
        optimizer.step()
    error = loss - 8 * torch.log(torch.tensor(2 * torch.pi))
    assert error < 0.05 * 0.5 * pattern.square().sum()


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper"])
@pytest.mark.parametrize("inner", ["autoencoder", "elbo", "iwae"])
def test_without_noise_it_is_the_inner_objective(model, x, corruption, inner):
    plain = {"autoencoder": Autoencoder(), "elbo": ELBO(num_samples=3), "iwae": IWAE(3)}[inner]
    options = {} if inner == "autoencoder" else {"num_samples": 3}
    found = Denoising(corruption, 0.0, inner, **options)
    result = found(model, x)
    assert set(result.terms) == set(plain(model, x).terms)
    if inner == "autoencoder":
        torch.testing.assert_close(loss_with(found, model, x), loss_with(plain, model, x))
    else:
        found = torch.stack([found(model, x).loss for _ in range(300)])
        again = torch.stack([plain(model, x).loss for _ in range(300)])
        error = ((found.var() + again.var()) / 300).sqrt()
        assert (found.mean() - again.mean()).abs() < 4 * error


def test_the_noise_is_in_the_input_and_not_in_the_target(model, x):
    seen = {}
    encode, decode = model.encode, model.decode
    model.encode = lambda value: seen.setdefault("q", encode(seen.setdefault("input", value)))
    model.decode = lambda z, **side: seen.setdefault("p", decode(z, **side))
    result = Denoising("masking", 0.5)(model, Batch(x))
    assert 0.3 < (seen["input"] == 0).double().mean() < 0.7
    kept = seen["input"] != 0
    assert torch.equal(seen["input"][kept], x[kept])
    torch.testing.assert_close(result.loss, -seen["p"].log_prob(x).mean())


def test_a_target_of_the_data_is_kept(model, x):
    """Pairs of noisy and clean data, as some data sets have them, need no noise of ours."""
    target = torch.rand_like(x)
    batch = Batch(x, extras={"target": target})
    result = Autoencoder()(model, batch)
    p = model.decode(model.encode(x).mean)
    torch.testing.assert_close(result.loss, -p.log_prob(target).mean())
    torch.testing.assert_close(Denoising(level=0.0)(model, batch).loss, result.loss)


def test_whole_numbers_are_corrupted_too():
    model = VAE((N,), 2)
    x = torch.randint(0, 2, (5, N), dtype=torch.uint8)
    assert Denoising("gaussian", 0.5)(model, x).loss.isfinite()


def test_phases_schedules_and_sizes_are_those_of_the_inner_objective(model, x):
    objective = Denoising(objective="factor_vae", hidden=(8,))
    objective.data_size = 77
    objective.bind(model)
    assert objective.inner.data_size == 77
    assert [phase.name for phase in objective.phases(model)] == ["model", "discriminator"]
    assert objective(model, x, phase="discriminator").terms.keys() == {"accuracy"}
    warming = Denoising(objective=ELBO(warm_up_steps=10))
    warming.step_begin(5, 0)
    assert warming.inner.kl_weight.progress == 0.5


class Unknown(nn.Module):
    """A posterior that does not know its mean."""

    def forward(self, features):
        class Delta(torch.distributions.Distribution):
            pass

        return Delta(features.shape[:1], features.shape[1:], validate_args=False)


def test_posteriors_that_do_not_fit():
    model = VAE((N,), 4, encoder_args={"hidden": (4,)}, posterior=Unknown())
    with pytest.raises(TypeError, match="autoencoder needs a posterior with a mean"):
        Autoencoder()(model, torch.rand(2, N))

    class Discrete(nn.Module):
        def forward(self, features):
            return Independent(torch.distributions.Bernoulli(logits=features), 1)

    model = VAE((N,), 4, encoder_args={"hidden": (4,)}, posterior=Discrete())
    assert Autoencoder()(model, torch.rand(2, N)).loss.requires_grad  # the mean field of the code


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"corruption": "rain"}, ValueError, "corruption must be one of gaussian, masking, salt"),
        ({"level": 1.5}, ValueError, "the level of masking must be from 0 to 1, got 1.5"),
        ({"corruption": "gaussian", "level": -1.0}, ValueError, "gaussian must be 0 or more"),
        ({"objective": "elbow"}, KeyError, "unknown objective 'elbow'; did you mean 'elbo'"),
        ({"num_samples": 2}, TypeError, "'autoencoder' has no option 'num_samples'"),
        ({"objective": "denoising"}, TypeError, "the inner objective cannot be"),
        ({"objective": FactorVAE(), "gamma": 1.0}, TypeError, "an objective given by name"),
    ],
)
def test_bad_options_raise(options, kind, message):
    with pytest.raises(kind, match=message):
        Denoising(**options)
