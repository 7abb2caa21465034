"""The adversarial autoencoder: who trains what, and where it comes to rest."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian
from pyvae.objectives import AAE

N = 5


def bound(model, **options):
    objective = AAE(**options)
    objective.bind(model)
    return objective


def step(objective, model, x, optimizers):
    terms = {}
    for phase in objective.phases(model):
        optimizers[phase.name].zero_grad()
        result = objective(model, x, phase=phase.name)
        result.loss.backward()
        optimizers[phase.name].step()
        terms |= result.terms
    return terms


def test_each_phase_trains_its_own():
    model = VAE((N,), 2)
    objective = bound(model, hidden=(8,), discriminator_lr=0.1, generator_lr=0.5)
    phases = {phase.name: phase for phase in objective.phases(model)}
    assert [p.lr_factor for p in phases.values()] == [1.0, 0.1, 0.5]
    x = torch.rand(7, N)
    reached = {}
    named = {**dict(model.named_parameters()), **dict(objective.named_parameters())}
    for name in phases:
        loss = objective(model, x, phase=name).loss
        grads = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        reached[name] = {
            key.partition(".")[0] for key, g in zip(named, grads, strict=True) if g is not None
        }
    assert reached["reconstruction"] == {"encoder", "posterior", "decoder"}
    assert reached["discriminator"] == {"discriminator"}
    assert reached["generator"] == {"encoder", "posterior", "discriminator"}
    trained = {name: {id(p) for p in phase.parameters} for name, phase in phases.items()}
    assert trained["generator"] == {id(p) for p in model.recognition_parameters()}
    assert trained["discriminator"] == {id(p) for p in objective.parameters()}


class Shifted(nn.Module):
    """q(z|x) = N(shift, exp(logvar)) for every x."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.full((2,), 2.0))
        self.logvar = nn.Parameter(torch.full((2,), -1.5))

    def forward(self, features):
        mean = self.shift.expand(len(features), -1)
        return DiagonalGaussian(mean, self.logvar, event_ndim=1, validate_args=False)


def test_the_game_ends_at_the_prior():
    """No KL is in any loss, and yet q(z) becomes N(0, I)."""
    model = VAE((N,), 2, posterior=Shifted(), encoder_args={"hidden": ()})
    objective = bound(model, hidden=(32,), activation="tanh")
    optimizers = {
        p.name: torch.optim.Adam(p.parameters, 2e-2 if p.name == "discriminator" else 5e-3)
        for p in objective.phases(model)
    }
    x = torch.zeros(200, N)
    history = []
    for _ in range(1200):
        terms = step(objective, model, x, optimizers)
        history.append(torch.cat([model.posterior.shift, model.posterior.logvar]).detach().clone())
    assert torch.stack(history[-400:]).mean(0).abs().max() < 0.25
    assert 0.4 < terms["accuracy"] < 0.65


def test_a_discrete_posterior_does_not_fit():
    class Discrete(nn.Module):
        def forward(self, features):
            return Independent(torch.distributions.Bernoulli(logits=features), 1)

    model = VAE((N,), 4, encoder_args={"hidden": (4,)}, posterior=Discrete())
    with pytest.raises(TypeError, match="aae needs a posterior with rsample"):
        bound(model)(model, torch.rand(2, N))
