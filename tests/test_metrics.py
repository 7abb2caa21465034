"""Figures of a model, against what is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from pyvae import VAE
from pyvae.distributions import DiagonalGaussian
from pyvae.metrics import Moments, bits_per_dim, evaluate, factors, seeded


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


def test_factors_split_what_is_independent() -> None:
    q = DiagonalGaussian(torch.zeros(3, 2), torch.ones(3, 2))
    each = factors(q)
    assert each is not None
    assert each.batch_shape == (3, 2)
    assert torch.allclose(each.log_prob(torch.ones(3, 2)).sum(1), q.log_prob(torch.ones(3, 2)))
    independent = factors(Independent(Normal(torch.zeros(3, 2), 1.0), 1))
    assert independent is not None
    assert independent.batch_shape == (3, 2)
    assert factors(MultivariateNormal(torch.zeros(2), torch.eye(2))) is None


def test_bits() -> None:
    assert bits_per_dim(-math.log(2) * 784, (1, 28, 28)) == pytest.approx(1.0)
