"""The Helmholtz machine, the wake-sleep algorithm and its local rule."""

import itertools

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.distributions import BinaryChain
from pyvae.models import HelmholtzMachine, delta_rule
from pyvae.objectives import ELBO, WakeSleep

SHAPE = (2, 3)
HIDDEN = (4, 3, 2)


@pytest.fixture
def machine():
    machine = HelmholtzMachine(SHAPE, HIDDEN).double()
    for parameter in machine.parameters():
        nn.init.normal_(parameter)
    return machine


@pytest.fixture
def x():
    return torch.randint(0, 2, (5, *SHAPE)).double()


def states(size):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=size)), dtype=torch.float64)


def test_the_factors_are_distributions(machine, x):
    z = states(sum(HIDDEN))
    one = torch.ones((), dtype=torch.float64)
    torch.testing.assert_close(machine.prior().log_prob(z).exp().sum(), one)
    q = machine.encode(x)
    torch.testing.assert_close(q.log_prob(z[:, None]).exp().sum(0), one.expand(5))
    assert (q.batch_shape, q.event_shape) == ((5,), (9,))
    data = states(6).view(-1, *SHAPE)
    torch.testing.assert_close(machine.decode(z[:7, None]).log_prob(data).exp().sum(1)[0], one)


@pytest.mark.parametrize("which", ["prior", "posterior"])
def test_samples_follow_the_log_probability(machine, x, which):
    chain = machine.prior() if which == "prior" else machine.encode(x[:1])
    z = states(sum(HIDDEN))
    expected = (chain.log_prob(z) if which == "prior" else chain.log_prob(z[:, None])[:, 0]).exp()
    drawn = chain.sample((40_000,)).reshape(-1, sum(HIDDEN))
    index = (drawn * 2 ** torch.arange(8, -1, -1, dtype=torch.float64)).sum(1).long()
    found = torch.bincount(index, minlength=512) / len(drawn)
    error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((found - expected).abs() <= 5 * error + 1e-4).all()


def test_a_chain_is_a_distribution():
    chain = BinaryChain(torch.zeros(3, 2), [], [2])
    assert torch.equal(chain.mean, torch.full((3, 2), 0.5))
    assert chain.expand((4, 3)).sample((2,)).shape == (2, 4, 3, 2)
    deep = BinaryChain(torch.zeros(2), [lambda h: h], [2, 2], reverse=True)
    with pytest.raises(NotImplementedError, match="no closed form"):
        _ = deep.mean
    assert deep.log_prob(torch.zeros(5, 3, 4)).shape == (5, 3)


def layers_seen(machine, x, z, phase):
    """(connections, what they see, what they predict), for each layer."""
    h = [x.flatten(1), *z.split(HIDDEN, dim=-1)]
    if phase == "wake":
        return [(layer, h[i + 1], h[i]) for i, layer in enumerate(machine.down)]
    return [(layer, h[i], h[i + 1]) for i, layer in enumerate(machine.up)]


@pytest.mark.parametrize("phase", ["wake", "sleep"])
def test_the_gradient_is_the_local_delta_rule(machine, x, phase):
    """What autograd makes of the loss is what each layer can compute for itself."""
    torch.manual_seed(1)
    loss = WakeSleep()(machine, x, phase=phase).loss
    torch.manual_seed(1)  # the same units once more
    with torch.no_grad():
        if phase == "wake":
            z = machine.encode(x).sample()
        else:
            z = machine.prior().sample((5,))
            x = machine.decode(z).sample()
    for layer, given, target in layers_seen(machine, x, z, phase):
        grads = torch.autograd.grad(loss, (layer.weight, layer.bias), retain_graph=True)
        for grad, change in zip(grads, delta_rule(layer, given, target), strict=True):
            torch.testing.assert_close(-grad, change)
    if phase == "wake":  # the topmost layer sees nothing
        (grad,) = torch.autograd.grad(loss, machine.top)
        error = z[:, -HIDDEN[-1] :] - torch.sigmoid(machine.top)
        torch.testing.assert_close(-grad, error.mean(0))


def test_the_wake_phase_in_expectation_is_the_gradient_of_the_bound(machine, x):
    """q is fixed in it: d/dp E_q log p(x, z), by summing over all states."""
    z = states(sum(HIDDEN))[:, None]
    with torch.no_grad():
        weight = machine.encode(x).log_prob(z).exp()
    joint = machine.decode(z).log_prob(x) + machine.prior().log_prob(z)
    theta = machine.generative_parameters()
    exact = torch.autograd.grad(-(weight * joint).sum(0).mean(), theta)
    many = x.repeat(4000, 1, 1)
    found = torch.autograd.grad(WakeSleep()(machine, many, phase="wake").loss, theta)
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a, b, atol=0.03, rtol=0)


def test_each_phase_trains_its_half(linear_gaussian):
    for model, x in (
        (HelmholtzMachine(SHAPE, HIDDEN), torch.zeros(3, *SHAPE)),
        (VAE((4,), 2), torch.rand(3, 4)),
        (VAE((4,), 2, prior="diagonal_gaussian"), torch.rand(3, 4)),
    ):
        wake, sleep = WakeSleep().phases(model)
        ids = [{id(p) for p in phase.parameters} for phase in (wake, sleep)]
        assert not ids[0] & ids[1] and ids[0] | ids[1] == {id(p) for p in model.parameters()}
        for phase, other in ((wake, sleep), (sleep, wake)):
            loss = WakeSleep()(model, x, phase=phase.name).loss
            grads = torch.autograd.grad(loss, phase.parameters, retain_graph=True)
            assert any(g.abs().sum() > 0 for g in grads)
            unused = torch.autograd.grad(loss, other.parameters, allow_unused=True)
            assert all(g is None for g in unused)


def test_the_sleep_phase_finds_the_true_posterior(linear_gaussian):
    """With p given, the best q for its dreams is p(z|x): then the bound is log p(x)."""
    model, truth = linear_gaussian(exact=False)
    objective = WakeSleep()
    optimizer = torch.optim.Adam(model.recognition_parameters(), lr=0.05)
    x = truth.sample((500,))
    for step in range(600):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 600)
        optimizer.zero_grad()
        objective(model, x, phase="sleep").loss.backward()
        optimizer.step()
    gap = truth.log_prob(x).mean() - ELBO(num_samples=50)(model, x).terms["elbo"]
    assert -0.02 < gap < 0.05


def test_the_terms_of_the_wake_phase_are_an_estimate_of_the_bound(linear_gaussian):
    model, truth = linear_gaussian()
    x = truth.sample((50,))
    terms = WakeSleep()(model, x, phase="wake").terms
    torch.testing.assert_close(terms["elbo"], truth.log_prob(x).mean(), atol=1e-6, rtol=0)
    torch.testing.assert_close(terms["elbo"], terms["log_likelihood"] - terms["kl"])


@pytest.mark.parametrize("objective", ["wake_sleep", "reinforce"])
def test_a_machine_learns_to_generate(objective):
    """Two patterns and their noise: the likelihood of the trained machine nears their entropy."""
    patterns = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    machine = HelmholtzMachine((6,), (3, 2))
    if objective == "wake_sleep":
        learn = WakeSleep()
    else:
        learn = ELBO(estimator="reinforce", num_samples=8, baseline="leave_one_out")
    phases = learn.phases(machine)
    optimizers = [torch.optim.Adam(p.parameters, 0.02) for p in phases]
    for _ in range(700):
        x = patterns[torch.randint(0, 2, (64,))]
        for phase, optimizer in zip(phases, optimizers, strict=True):
            optimizer.zero_grad()
            learn(machine, x, phase=phase.name).loss.backward()
            optimizer.step()
    log_p = machine.log_marginal(patterns, 200).mean()
    assert -1.2 < log_p < -0.65  # log 2 = 0.69 is the entropy; a machine that learns nothing: 4.2


def test_a_machine_is_a_model(machine, x, tmp_path):
    machine.save_pretrained(tmp_path)
    again = HelmholtzMachine.from_pretrained(tmp_path)
    assert again.config == {"data_shape": [2, 3], "hidden": [4, 3, 2]} and again.latent_dim == 9
    for a, b in zip(machine.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert machine.sample(3).shape == (3, *SHAPE)
    assert machine.reconstruct(x).shape == x.shape
    mean = x.mean(0).clamp(0.1, 0.9)
    machine.init_output(mean)
    z = torch.zeros(1, 9, dtype=torch.float64)
    torch.testing.assert_close(machine.decode(z).mean[0], mean)
    # importance sampling tends to the sum over all states, where q is not too far off
    for parameter in machine.parameters():
        nn.init.normal_(parameter, std=0.3)
    z = states(9)[:, None]
    truth = (machine.decode(z).log_prob(x) + machine.prior().log_prob(z)).logsumexp(0)
    torch.testing.assert_close(machine.log_marginal(x, 50_000), truth, atol=0.1, rtol=0)


@pytest.mark.parametrize("sizes", [((), (2,)), ((2,), ()), ((2,), (3, 0))])
def test_sizes_that_make_no_sense(sizes):
    with pytest.raises(ValueError, match="one or more positive sizes, got"):
        HelmholtzMachine(*sizes)
