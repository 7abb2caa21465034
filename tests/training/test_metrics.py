"""Figures of a model, against what is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian, StandardNormal
from pyvae.metrics import (
    Moments,
    aggregate_figures,
    bits_per_dim,
    evaluate,
    prior_mmd,
    seeded,
)


def linear_gaussian() -> VAE:
    """x | z ~ N(W z + b, I), z ~ N(0, I): log p(x) is known."""
    torch.manual_seed(0)
    linear = {"encoder_args": {"hidden": []}, "decoder_args": {"hidden": []}}
    vae = VAE((4,), latent_dim=2, likelihood="gaussian", **linear)
    vae.requires_grad_(False)
    vae.posterior.linear.weight.mul_(0.5)
    vae.posterior.linear.bias[2:] = (
        0.3  # wider than the true posterior, so that weights are bounded
    )
    return vae


def batches(x: torch.Tensor, size: int = 100) -> object:
    return iter([(part, {}) for part in x.split(size)])


def test_log_likelihood_and_bound_of_a_linear_gaussian() -> None:
    vae = linear_gaussian()
    (layer,) = [m for m in vae.decoder.modules() if isinstance(m, torch.nn.Linear)]
    x = torch.randn(300, 4)
    truth = MultivariateNormal(layer.bias, layer.weight @ layer.weight.T + torch.eye(4))
    with seeded(1):
        found = evaluate(vae, batches(x), num_samples=2000)  # type: ignore[arg-type]
    assert found.count == 300
    assert found.log_likelihood == pytest.approx(truth.log_prob(x).mean().item(), abs=0.02)
    assert found.elbo < found.log_likelihood
    q = vae.encode(x)
    kl = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0))
    assert found.kl == pytest.approx(kl.sum(1).mean().item(), rel=1e-5)
    assert found.kl_per_dim == pytest.approx(kl.mean(0).tolist(), rel=1e-5)
    assert found.elbo == pytest.approx(found.reconstruction - found.kl)
    spread = truth.log_prob(x).std(correction=0).item() / math.sqrt(300)
    assert found.log_likelihood_error == pytest.approx(spread, rel=0.05)
    assert found.bits_per_dim is None


def test_active_units_are_those_whose_mean_moves() -> None:
    vae = linear_gaussian()
    linear = vae.posterior.linear
    linear.weight.zero_()
    linear.weight[0, 0] = 0.11  # variance 0.0121 over standard normal data, above 0.01
    linear.weight[1, 1] = 0.05
    x = torch.randn(4000, 4)
    assert evaluate(vae, batches(x)).active_units == 1  # type: ignore[arg-type]


def test_figures_repeat_under_a_seed_and_leave_the_generator_alone() -> None:
    vae, x = linear_gaussian(), torch.randn(50, 4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    figures = []
    for _ in range(2):
        with seeded(9):
            figures.append(evaluate(vae, batches(x), num_samples=5))  # type: ignore[arg-type]
    assert figures[0] == figures[1]
    assert torch.equal(torch.rand(3), expected)


def test_no_data() -> None:
    with pytest.raises(ValueError, match="there are no data"):
        evaluate(linear_gaussian(), iter([]))


def test_moments_equal_those_of_all_rows_at_once() -> None:
    rows = torch.randn(1000, 3, dtype=torch.float64) + 1e4
    moments = Moments()
    for part in rows.split([1, 99, 0, 900]):
        moments.add(part)
    assert torch.allclose(torch.as_tensor(moments.mean), rows.mean(0), rtol=1e-14)
    assert torch.allclose(moments.variance, rows.var(0, correction=0), rtol=1e-9)


# The aggregated posterior


def test_the_rate_is_mutual_information_and_marginal_divergence() -> None:
    """Against every pair of data in float64, one at a time."""
    torch.manual_seed(0)
    means, logvars = torch.randn(2, 60, 3, dtype=torch.float64)
    q = DiagonalGaussian(means, logvars)
    z, p = q.sample(), StandardNormal((3,), dtype=torch.float64)
    found = aggregate_figures(means, logvars, z, p, 100)
    assert found.points == 60
    rate = (q.log_prob(z) - p.log_prob(z)).mean().item()
    assert found.mutual_information + found.marginal_kl == pytest.approx(rate)
    pairs = Normal(means, (logvars / 2).exp()).log_prob(z[:, None])  # (z, component, dimension)
    whole = pairs.sum(-1).logsumexp(1) - math.log(60)
    each = (pairs.logsumexp(1) - math.log(60)).sum(-1)
    assert found.mutual_information == pytest.approx((q.log_prob(z) - whole).mean().item())
    assert found.total_correlation == pytest.approx((whole - each).mean().item())
    with seeded(3):
        few = aggregate_figures(means, logvars, z, p, 10)
    assert few.points == 10
    assert few.mutual_information != found.mutual_information


def test_extremes_of_the_aggregated_posterior() -> None:
    means = 100 * torch.arange(40.0)[:, None].expand(40, 2)  # far apart, on a diagonal
    logvars = torch.zeros(40, 2)
    z = DiagonalGaussian(means, logvars).sample()
    found = aggregate_figures(means, logvars, z, StandardNormal((2,)), 40)
    assert found.mutual_information == pytest.approx(math.log(40), abs=1e-3)
    assert found.total_correlation == pytest.approx(math.log(40), abs=1e-3)
    side = torch.tensor([-3.0, 0.0, 1.0])  # a product of mixtures has independent dimensions
    means = torch.cartesian_prod(side, side)
    z = DiagonalGaussian(means, torch.zeros(9, 2)).sample()
    found = aggregate_figures(means, torch.zeros(9, 2), z, StandardNormal((2,)), 9)
    assert found.total_correlation == pytest.approx(0, abs=1e-5)


def test_the_aggregated_posterior_of_a_model() -> None:
    """All of its latents of all data are normal again: everything is known."""
    vae = linear_gaussian()
    x = torch.randn(4000, 4)
    with seeded(2):
        found = evaluate(vae, batches(x), aggregate=4000)  # type: ignore[arg-type]
    assert found.aggregate is not None
    weight = vae.posterior.linear.weight[:2]
    noise = torch.diag(vae.encode(x[:1]).variance[0])
    whole = weight @ weight.T + noise  # the covariance of q(z) for x ~ N(0, I)
    information = 0.5 * (torch.logdet(whole) - torch.logdet(noise)).item()
    assert found.aggregate.mutual_information == pytest.approx(information, abs=0.05)
    correlation = 0.5 * (whole.diagonal().log().sum() - torch.logdet(whole)).item()
    assert found.aggregate.total_correlation == pytest.approx(correlation, abs=0.05)
    figures = found.to_dict()
    assert figures["rate"] == found.kl and figures["distortion"] == -found.reconstruction
    assert figures["aggregate_points"] == 4000
    assert figures["mutual_information"] == found.aggregate.mutual_information
    assert figures["total_correlation"] == found.aggregate.total_correlation
    assert figures["mmd"] == found.mmd and found.mmd is not None and found.mmd > 0.001
    none = evaluate(vae, batches(x))  # type: ignore[arg-type]
    assert none.aggregate is None and none.mmd is None
    assert none.to_dict().keys() == figures.keys()
    other = VAE((4,), 2, posterior="full_gaussian", likelihood="gaussian")
    found = evaluate(other, batches(x), aggregate=10)  # type: ignore[arg-type]
    assert found.aggregate is None and found.mmd is not None


def test_the_discrepancy_of_the_aggregated_posterior_and_the_prior() -> None:
    """That of two Gaussians in closed form: means of the kernel are Gaussian densities again."""
    torch.manual_seed(0)
    p = StandardNormal((2,), dtype=torch.float64)

    def kernel_mean(variance: float, shift: float) -> float:
        """E exp(-|a - b|^2 / 4) for a - b ~ N(shift, variance) in each of two dimensions."""
        return (math.exp(-(shift**2) / 2 / (2 + variance)) * math.sqrt(2 / (2 + variance))) ** 2

    for mean, std in ((0.0, 1.0), (1.0, 1.0), (0.0, 0.5)):
        z = mean + std * torch.randn(10_000, 2, dtype=torch.float64)
        truth = kernel_mean(2 * std**2, 0) + kernel_mean(2, 0) - 2 * kernel_mean(1 + std**2, mean)
        assert prior_mmd(z, p) == pytest.approx(truth, abs=0.015)
    bits = torch.distributions.Independent(torch.distributions.Bernoulli(torch.full((3,), 0.5)), 1)
    assert prior_mmd(bits.sample((5000,)), bits) == pytest.approx(0, abs=2e-3)


def test_bits() -> None:
    assert bits_per_dim(-math.log(2) * 784, (1, 28, 28)) == pytest.approx(1.0)
