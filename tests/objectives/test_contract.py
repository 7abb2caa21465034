"""What an objective may own and ask for, and what a model hands on to it."""

import math

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian
from pyvae.likelihoods import Likelihood
from pyvae.objectives import ELBO, Batch, Objective, Phase, Result

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(6, N, dtype=torch.float64)


def test_an_optimizer_becomes_that_of_a_phase():
    weight = nn.Parameter(torch.ones(3))
    phase = Phase("discriminator", [weight], lr_factor=0.5, betas=(0.5, 0.9))
    adam, sgd = torch.optim.Adam([weight], 0.1), torch.optim.SGD([weight], 0.1)
    group = phase.own(adam).param_groups[0]
    assert (group["lr"], group["betas"]) == (0.05, (0.5, 0.9))
    group = phase.own(sgd).param_groups[0]
    assert group["lr"] == 0.05 and "betas" not in group


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
