"""The aggregated posterior and its total correlation, from minibatches and by a discriminator."""

import itertools
import math

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.functional import (
    gaussian_mixture_log_prob,
    minibatch_stratified_log_weights,
    minibatch_weighted_log_weights,
)
from pyvae.objectives import ELBO, TCVAE, FactorVAE
from pyvae.objectives.factor_vae import permute_dimensions

D, N = 2, 5


@pytest.fixture
def x():
    return torch.randn(6, N, dtype=torch.float64)


def tc_vae(data_size=100, **options):
    objective = TCVAE(**options)
    objective.data_size = data_size
    return objective


def test_stratified_sampling_is_unbiased():
    """The mean over all minibatches that hold x_i is q(z) exactly; weighted sampling is not."""
    size, batch = 6, 3
    means, logvars = torch.randn(2, size, D, dtype=torch.float64)
    z = torch.randn(1, D, dtype=torch.float64)
    truth = gaussian_mixture_log_prob(z, means, logvars).exp()
    for own in range(size):
        found = {"mss": [], "mws": []}
        for others in itertools.combinations(set(range(size)) - {own}, batch - 1):
            index = torch.tensor([own, *others])
            for estimator, values in found.items():
                if estimator == "mss":
                    row = minibatch_stratified_log_weights(batch, size, dtype=z.dtype)[:1]
                else:
                    row = minibatch_weighted_log_weights(batch, size, dtype=z.dtype)
                values.append(gaussian_mixture_log_prob(z, means[index], logvars[index], row).exp())
        torch.testing.assert_close(torch.stack(found["mss"]).mean(0), truth)
        assert not torch.allclose(torch.stack(found["mws"]).mean(0), truth)


def test_weights_of_the_whole_data_set():
    one = torch.ones((), dtype=torch.float64)
    mss, mws = (
        lambda *sizes, make=make: make(*sizes, dtype=torch.float64).exp()
        for make in (minibatch_stratified_log_weights, minibatch_weighted_log_weights)
    )
    assert torch.allclose(mss(7, 7), one / 7)
    assert torch.allclose(mss(3, 90).sum(1), one)
    assert torch.allclose(mws(7, 7), one / 49)
    for size in (1, 50):  # the last batch of an epoch may hold a single datum
        assert torch.allclose(mss(1, size), one / size)


@pytest.mark.parametrize("estimator", ["mws", "mss"])
def test_the_three_parts_add_up_to_the_kl(linear_gaussian, x, estimator):
    model, _ = linear_gaussian(exact=False)
    losses = {}
    for weights in ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.0, 3.0, 1.0), (1.0, 1.0, 4.0)):
        torch.manual_seed(1)
        result = tc_vae(alpha=weights[0], beta=weights[1], gamma=weights[2], estimator=estimator)(
            model, x
        )
        losses[weights] = result.loss
    terms = result.terms
    names = ("mutual_information", "total_correlation", "dimension_kl")
    torch.testing.assert_close(sum(terms[name] for name in names), terms["kl"])
    torch.manual_seed(1)
    elbo = ELBO(estimator="sampled")(model, x)
    plain = losses.pop((1.0, 1.0, 1.0))
    torch.testing.assert_close(plain, elbo.loss)
    for (weights, loss), name in zip(losses.items(), names, strict=True):
        torch.testing.assert_close(loss - plain, (max(weights) - 1) * terms[name])


class Copy(nn.Module):
    """q(z|x) = N(x, s^2): the aggregated posterior is that of the data, a little wider."""

    latent_dim = D

    def forward(self, features):
        from pyvae.distributions import DiagonalGaussian

        return DiagonalGaussian(features, 2 * math.log(0.5), event_ndim=1, validate_args=False)


def correlated(rho, count):
    """A model with q(z) = N(0, I + off-diagonal rho), and data; its total correlation is known."""
    model = VAE((D,), D, posterior=Copy(), encoder_args={"hidden": ()}, likelihood="gaussian")
    model = model.double()
    model.encoder.layers = nn.Identity()
    model.encoder.out_features = D
    inner = torch.tensor([[0.75, rho], [rho, 0.75]], dtype=torch.float64)
    x = torch.randn(count, D, dtype=torch.float64) @ torch.linalg.cholesky(inner).T
    return model, x, -0.5 * math.log(1 - rho**2)


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.7])
def test_the_total_correlation_of_gaussians(rho):
    model, x, truth = correlated(rho, 2000)
    terms = tc_vae(len(x), estimator="mss")(model, x).terms
    assert terms["total_correlation"].item() == pytest.approx(truth, abs=0.05)
    assert terms["dimension_kl"].item() == pytest.approx(0.0, abs=0.05)
    # a minibatch sees too little of q(z), yet on average as much with either weight of its own
    batch = torch.stack(
        [tc_vae(2000, estimator="mss")(model, x[torch.randperm(2000)[:64]]).loss for _ in range(50)]
    )
    assert batch.isfinite().all()


def test_the_discriminator_finds_the_total_correlation():
    model, x, truth = correlated(0.7, 2000)
    objective = FactorVAE(hidden=(64, 64))
    objective.bind(model)
    optimizer = torch.optim.Adam(objective.discriminator.parameters(), lr=3e-3)
    for step in range(400):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / 400)
        optimizer.zero_grad()
        result = objective(model, x[torch.randperm(2000)[:500]], phase="discriminator")
        result.loss.backward()
        optimizer.step()
    assert 0.5 < result.terms["accuracy"] < 1
    with torch.no_grad():
        found = objective(model, x.repeat(5, 1)).terms["total_correlation"].item()
    assert found == pytest.approx(truth, abs=0.06)


def test_permuting_keeps_the_marginals_and_breaks_the_dependence():
    z = torch.randn(5000, 1).expand(-1, 3).contiguous()
    permuted = permute_dimensions(z)
    torch.testing.assert_close(permuted.sort(0).values, z.sort(0).values)
    assert (torch.corrcoef(permuted.T) - torch.eye(3)).abs().max() < 0.06


def test_each_phase_of_factor_vae_trains_its_own(linear_gaussian, x):
    model, _ = linear_gaussian(exact=False)
    objective = FactorVAE(gamma=5.0, hidden=(8,), discriminator_lr=0.1)
    objective.bind(model)
    vae, own = objective.phases(model)
    assert (own.lr_factor, own.betas) == (0.1, (0.5, 0.9))
    for betas in ([0.5], [0.5, 1], [-0.1, 0.9]):
        with pytest.raises(ValueError, match="must be two numbers from 0 to below 1, got"):
            FactorVAE(discriminator_betas=betas)
    loss = objective(model, x, phase="discriminator").loss
    assert torch.autograd.grad(loss, vae.parameters, allow_unused=True) == (None,) * len(
        vae.parameters
    )
    result = objective(model, x, phase="model")
    terms = result.terms
    torch.testing.assert_close(result.loss, 5 * terms["total_correlation"] - terms["elbo"])


def test_posteriors_that_do_not_fit():
    class StudentT(nn.Module):
        def forward(self, features):
            plain = torch.distributions.StudentT(4.0, features, 1.0, validate_args=False)
            return torch.distributions.Independent(plain, 1)

    model = VAE((N,), 256, posterior=StudentT())
    with pytest.raises(TypeError, match=r"diagonal_gaussian.*got Independent; factor_vae takes"):
        tc_vae()(model, torch.rand(3, N))
    factor = FactorVAE(hidden=(8,))
    factor.bind(model)
    assert factor(model, torch.rand(3, N)).loss.isfinite()
    factor = FactorVAE(hidden=(8,), estimator="analytic")
    factor.bind(model)
    with pytest.raises(
        TypeError, match=r"factor_vae: KL\(Independent\(StudentT\) \|\| StandardNormal\)"
    ):
        factor(model, torch.rand(3, N))


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        (TCVAE, {"estimator": "best"}, "tc_vae: estimator must be 'mws' or 'mss', got 'best'"),
        (TCVAE, {"beta": -1.0}, "tc_vae: alpha, beta and gamma must not be negative"),
        (
            FactorVAE,
            {"estimator": "best"},
            "factor_vae: estimator must be one of auto, analytic",
        ),
        (FactorVAE, {"gamma": -1.0}, "factor_vae: gamma must not be negative, got -1.0"),
    ],
)
def test_bad_options_raise(objective, options, message):
    with pytest.raises(ValueError, match=message):
        objective(**options)


def test_tc_vae_asks_for_the_number_of_data(linear_gaussian, x):
    with pytest.raises(ValueError, match="TCVAE needs the number of training data: set data_size"):
        TCVAE()(linear_gaussian()[0], x)
