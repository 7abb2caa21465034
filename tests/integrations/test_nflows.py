"""Flows of nflows as priors and posteriors."""

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.integrations

pytest.importorskip("nflows")
from nflows.distributions import (  # noqa: E402
    ConditionalDiagonalNormal,
    ConditionalIndependentBernoulli,
    StandardNormal,
)
from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP  # noqa: E402
from nflows.transforms import (  # noqa: E402
    CompositeTransform,
    MaskedAffineAutoregressiveTransform,
    ReversePermutation,
)

import pyvae  # noqa: E402
from pyvae.integrations.nflows import (  # noqa: E402
    NFlowsDistribution,
    NFlowsPosterior,
    NFlowsPrior,
)

L, FEATURES = 3, 5


def conditional_flow():
    maps = [
        ReversePermutation(L),
        MaskedAffineAutoregressiveTransform(L, 8, context_features=FEATURES),
    ]
    base = ConditionalDiagonalNormal([L], nn.Linear(FEATURES, 2 * L))
    return Flow(CompositeTransform(maps), base)


def autoregressive_flow():
    flow = MaskedAutoregressiveFlow(L, 8, num_layers=2, num_blocks_per_layer=1)
    return flow.eval()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_a_density_is_that_of_the_flow_with_any_batch():
    flow, context = conditional_flow(), torch.randn(4, 2, FEATURES)
    p = NFlowsDistribution(flow, L, context)
    assert p.batch_shape == (4, 2) and p.event_shape == (L,)
    for shape in ((4, 2, L), (6, 4, 2, L), (L,), (4, 1, L)):
        value = torch.randn(shape)
        each = p.log_prob(value)
        full = value.expand(*each.shape, L)
        rows = flow.log_prob(
            full.reshape(-1, L), context.expand(*each.shape, -1).reshape(-1, FEATURES)
        )
        torch.testing.assert_close(each, rows.reshape(each.shape))
    alone = NFlowsDistribution(autoregressive_flow(), L)
    assert alone.log_prob(torch.zeros(L)).shape == () and alone.batch_shape == ()
    assert alone.expand([4, 2]).log_prob(torch.zeros(L)).shape == (4, 2)
    assert p.expand([6, 4, 2]).log_prob(torch.zeros(L)).shape == (6, 4, 2)


@pytest.mark.parametrize("sample_shape", [(), (5,), (2, 3), (0,)], ids=str)
def test_samples_have_their_own_density_and_gradient(sample_shape):
    context = torch.randn(4, 2, FEATURES, requires_grad=True)
    for p in (
        NFlowsDistribution(conditional_flow(), L, context),
        NFlowsDistribution(autoregressive_flow(), L),
    ):
        z = p.rsample(sample_shape)
        assert z.shape == (*sample_shape, *p.batch_shape, L)
        known = p.log_prob(z)
        torch.testing.assert_close(known, p.log_prob(z.clone()), rtol=1e-3, atol=1e-3)
        if p.context is not None and z.numel():
            (grad,) = torch.autograd.grad(z.sum(), context)
            assert (grad != 0).any(-1).all()
        assert not p.sample(sample_shape).requires_grad


def test_samples_of_a_row_are_of_its_own_context():
    """Rows whose means lie far apart stay apart."""
    net = nn.Linear(1, 2 * L, bias=False)
    net.weight.data = torch.cat([torch.ones(L, 1), torch.zeros(L, 1)])
    means = torch.tensor([[-1000.0], [0.0], [1000.0]])
    z = NFlowsDistribution(ConditionalDiagonalNormal([L], net), L, means).sample((7,))
    assert z.shape == (7, 3, L) and (z - means).abs().max() < 10


def test_the_density_of_the_last_sample_is_remembered_until_it_is_changed():
    p = NFlowsDistribution(autoregressive_flow(), L)
    z = p.rsample((4,))
    known = p.log_prob(z)
    assert p.log_prob(z) is known
    with torch.no_grad():
        z = p.rsample((4,))
        before = p.log_prob(z)
        z += 1
        assert not torch.allclose(p.log_prob(z), before)


def test_a_vae_with_both_trains():
    model = pyvae.VAE(
        (2,),
        L,
        encoder_args={"hidden": [FEATURES]},
        prior=NFlowsPrior(SimpleRealNVP(L, 8, 2, 1), L),
        posterior=NFlowsPosterior(conditional_flow(), FEATURES, L),
        likelihood="gaussian",
    )
    x = torch.randn(64, 2) * torch.tensor([2.0, 0.3]) + 1
    elbo = pyvae.objectives.ELBO()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    bounds = []
    for _ in range(200):
        optimizer.zero_grad()
        result = elbo(model, x)
        result.loss.backward()
        optimizer.step()
        bounds.append(result.terms["elbo"].item())
    assert all(p.grad is not None for p in model.parameters())
    assert sum(bounds[-20:]) > sum(bounds[:20]) + 20 * 0.5
    model.eval()
    assert model.sample(4).shape == (4, 2)
    assert model.log_marginal(x[:4], 10).isfinite().all()
    assert model.reconstruct(x[:4]).shape == (4, 2)


def test_normal_parts_give_the_elbo_of_our_own():
    """The same posterior and prior by either library."""
    linear = nn.Linear(FEATURES, 2 * L)
    features = torch.randn(64, FEATURES)
    q = NFlowsPosterior(ConditionalDiagonalNormal([L], linear), FEATURES, L)(features)
    mean, log_std = linear(features).chunk(2, -1)
    own = pyvae.distributions.DiagonalGaussian(mean, 2 * log_std, event_ndim=1)
    z = own.rsample((10,))
    torch.testing.assert_close(q.log_prob(z), own.log_prob(z), rtol=1e-4, atol=1e-4)
    p = NFlowsPrior(StandardNormal([L]), L)()
    torch.testing.assert_close(p.log_prob(z), pyvae.distributions.StandardNormal((L,)).log_prob(z))


def test_what_does_not_fit_is_told():
    with pytest.raises(TypeError, match="expected a Flow or Distribution of nflows, got a Linear"):
        NFlowsPrior(nn.Linear(2, 2), 2)
    p = NFlowsDistribution(StandardNormal([L]), L)
    with pytest.raises(ValueError, match=r"event shape \(3,\), got \(4, 2\)"):
        p.log_prob(torch.zeros(4, 2))
    bits = ConditionalIndependentBernoulli([L], nn.Linear(FEATURES, L))
    q = NFlowsDistribution(bits, L, torch.randn(4, FEATURES, requires_grad=True))
    with pytest.raises(NotImplementedError, match="differentiable samples"):
        q.rsample()
    assert q.sample().shape == (4, L)
