"""Imputation against a model whose conditional distribution is known in closed form."""

import pytest
import torch

from pyvae import VAE
from pyvae.models import AutoregressiveModel, impute
from pyvae.models.importance import log_marginal
from pyvae.objectives import ELBO, IWAE, Batch

PIXELS, LATENTS, SIGMA = 5, 2, 0.6


@pytest.fixture
def model():
    """p(x) = N(b, W W^T + s^2 I), whatever is masked; q(z|x) is p(z)."""
    torch.manual_seed(0)
    vae = VAE(
        (PIXELS,),
        LATENTS,
        likelihood="gaussian",
        likelihood_args={"sigma": SIGMA},
        encoder_args={"hidden": ()},
        decoder_args={"hidden": ()},
        masked=True,
    ).double()
    with torch.no_grad():
        vae.posterior.linear.weight.zero_()
        vae.posterior.linear.bias.zero_()
    return vae


def exact(vae, x, mask):
    """Mean and covariance of p(x_m|x_o), and log p(x_o), of one row."""
    w, b = vae.decoder.output.weight.detach(), vae.decoder.output.bias.detach()
    c = w @ w.T + SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64)
    o, m = mask, ~mask
    gain = c[m][:, o] @ torch.linalg.inv(c[o][:, o])
    mean = b[m] + gain @ (x - b)[o]
    seen = torch.distributions.MultivariateNormal(b[o], c[o][:, o])
    return mean, c[m][:, m] - gain @ c[o][:, m], seen.log_prob(x[o])


MASK = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 0]], dtype=torch.bool)


@pytest.mark.parametrize("chunk", [None, 700, 20_000])
def test_the_conditional_mean(model, chunk):
    x = torch.randn(3, PIXELS, dtype=torch.float64).masked_fill(~MASK, torch.nan)
    whole = impute(model, x, MASK, 20_000, chunk=chunk)
    assert torch.equal(whole[MASK], x[MASK])
    for row in range(3):
        mean, covariance, _ = exact(model, x[row], MASK[row])
        off = (whole[row, ~MASK[row]] - mean).abs()
        assert (off < 0.06 * covariance.diagonal().sqrt() + 0.02).all()


def test_draws_have_the_conditional_distribution(model):
    x = torch.randn(3, PIXELS, dtype=torch.float64).masked_fill(~MASK, torch.nan)
    drawn = impute(model, x, MASK, 2000, draws=2000, chunk=500)
    assert drawn.shape == (2000, 3, PIXELS)
    assert torch.equal(drawn[:, MASK], x[MASK].expand(2000, -1))
    for row in range(3):
        mean, covariance, _ = exact(model, x[row], MASK[row])
        of_row = drawn[:, row, ~MASK[row]]
        assert (of_row.mean(0) - mean).abs().max() < 0.15
        torch.testing.assert_close(
            torch.cov(of_row.T).reshape(covariance.shape), covariance, atol=0.15, rtol=0.15
        )


def test_iwae_with_a_mask_bounds_what_is_observed(model):
    """MIWAE's bound, which many samples make exact, and its importance-sampled marginal."""
    x = torch.randn(3, PIXELS, dtype=torch.float64).masked_fill(~MASK, torch.nan)
    right = torch.stack([exact(model, x[row], MASK[row])[2] for row in range(3)])
    batch = Batch(x, extras={"mask": MASK})
    bound = IWAE(num_samples=50_000)(model, batch).terms["bound"]
    torch.testing.assert_close(bound, right.mean(), atol=0.03, rtol=0)
    assert ELBO()(model, batch).terms["elbo"] < bound
    found = log_marginal(model, x, 50_000, {"mask": MASK})
    torch.testing.assert_close(found, right, atol=0.05, rtol=0)


def test_nothing_and_everything_observed(model):
    x = torch.randn(2, PIXELS, dtype=torch.float64)
    all_ = torch.ones(2, PIXELS, dtype=torch.bool)
    assert torch.equal(impute(model, x, all_, 3), x)
    prior_mean = impute(model, x * torch.nan, ~all_, 20_000)
    torch.testing.assert_close(
        prior_mean, model.decoder.output.bias.detach().expand(2, -1), atol=0.05, rtol=0
    )
    assert impute(model, x[:0], all_[:0], 3).shape == (0, PIXELS)
    assert impute(model, x[:0], all_[:0], 3, draws=2).shape == (2, 0, PIXELS)


def test_a_row_does_not_depend_on_the_others(model, monkeypatch):
    """In pieces of one row, by exact weights of a single sample's chunks."""
    x = torch.randn(3, PIXELS, dtype=torch.float64)
    with torch.no_grad():  # a posterior without spread makes the samples known
        model.posterior.linear.bias[LATENTS:] = -80.0
        model.posterior.linear.weight[:LATENTS].normal_()
    whole = impute(model, x, MASK, 4)
    monkeypatch.setattr("pyvae.models.capacity.BUDGET", 1)
    torch.testing.assert_close(impute(model, x, MASK, 4), whole)


def test_counts_keep_their_dtype_and_side_inputs_are_handed_on():
    model = VAE((4,), 2, likelihood="negative_binomial", masked=True)
    x, mask = torch.randint(0, 9, (3, 4)), torch.rand(3, 4) < 0.5
    drawn = impute(model, x, mask, 5, draws=2, side={"library": torch.full((3,), 20.0)})
    assert drawn.shape == (2, 3, 4) and (drawn == drawn.round()).all()
    assert torch.equal(drawn[0][mask], x[mask].to(drawn.dtype))


def test_what_cannot_be_is_said(model):
    x, mask = torch.zeros(2, PIXELS), torch.ones(2, PIXELS, dtype=torch.bool)
    with pytest.raises(
        ValueError, match="the VAE was not made for data of which a part is missing"
    ):
        impute(VAE((PIXELS,), 2), x, mask)
    with pytest.raises(ValueError, match="the AutoregressiveModel was not made"):
        impute(AutoregressiveModel((PIXELS,), decoder="made"), x, mask)
    with pytest.raises(ValueError, match=r"must have shape \(B, 5\), got \(2, 5\) and \(2, 4\)"):
        impute(model, x, mask[:, :4])
    with pytest.raises(TypeError, match="mask must be bool"):
        impute(model, x, mask.float())
    with pytest.raises(ValueError, match="num_samples and chunk must be at least 1"):
        impute(model, x, mask, 0)
