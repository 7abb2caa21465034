"""The Gaussian likelihood: its variances, and means within bounds."""

import pytest
import torch

from pyvae import registry


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def create(name, shape, **options):
    return registry.likelihoods.create(name, data_shape=shape, **options)


def test_the_best_variance_is_taken_while_training():
    """The loss is that of the variance at its optimum, and so are the slopes of the means."""
    x, mean = torch.randn(6, 3, 4, 4), torch.randn(6, 3, 4, 4, requires_grad=True)
    optimal = create("gaussian", (3, 4, 4), variance="optimal")
    mse = (x - mean).square().mean()
    best = -0.5 * 48 * (mse.log() + 2.8378771)  # -1/2 sum log 2 pi e MSE
    found = optimal(mean).log_prob(x).mean()
    torch.testing.assert_close(found, best)
    slopes = [torch.autograd.grad(v, mean, retain_graph=True)[0] for v in (found, best)]
    torch.testing.assert_close(*slopes)
    torch.testing.assert_close(optimal.logvar[0], mse.log().detach())
    optimal(mean).log_prob(x + 1)  # the running mean moves by a tenth
    moved = torch.lerp(mse, (x + 1 - mean).square().mean(), 0.1).log().detach()
    torch.testing.assert_close(optimal.logvar[0], moved)
    optimal.eval()
    fixed = torch.distributions.Normal(mean, (moved / 2).exp())
    torch.testing.assert_close(optimal(mean).log_prob(x), fixed.log_prob(x).sum((1, 2, 3)))
    torch.testing.assert_close(optimal.logvar[0], moved)
    other = create("gaussian", (3, 4, 4), variance="optimal")
    other.load_state_dict(optimal.state_dict())
    assert torch.equal(other.logvar, optimal.logvar) and not list(other.parameters())


def test_the_best_variance_of_what_is_observed_and_of_standardized_data():
    x, mean, mask = torch.randn(50, 4), torch.zeros(50, 4), torch.rand(50, 4) < 0.5
    optimal = create("gaussian", (4,), variance="optimal")
    optimal(mean).mask(mask).log_prob(torch.where(mask, x, torch.nan))
    torch.testing.assert_close(optimal.logvar[0], x[mask].square().mean().log())
    before = optimal.logvar.clone()
    assert (optimal(mean).mask(mask & False).log_prob(x) == 0).all()
    torch.testing.assert_close(optimal.logvar, before)
    scaled = create("gaussian", (4,), variance="optimal", standardize=True)
    scaled.init_from_statistics(torch.arange(4.0), torch.tensor([0.1, 1.0, 10.0, 100.0]))
    data = torch.arange(4.0) + x * torch.tensor([0.1, 1.0, 10.0, 100.0])
    scaled(mean).log_prob(data)
    torch.testing.assert_close(scaled.logvar[0], x.square().mean().log())
    exact = create("gaussian", (4,), variance="optimal")
    assert exact(x).log_prob(x).isfinite().all() and exact.logvar[0] == -12


def test_gaussian_variances():
    x = torch.randn(6, 3, 4, 4)
    normal = torch.distributions.Normal
    fixed = create("gaussian", (3, 4, 4), sigma=0.5)
    learned = create("gaussian", (3, 4, 4), variance="learned", sigma=0.5)
    pixel = create("gaussian", (3, 4, 4), variance="per_pixel")
    mean, logvar = torch.randn(2, 6, 3, 4, 4)
    expected = normal(mean, 0.5).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(fixed(mean).log_prob(x), expected)
    torch.testing.assert_close(learned(mean).log_prob(x), expected)
    assert [p.shape for p in learned.parameters()] == [(1,)] and not list(fixed.parameters())
    expected = normal(mean, (logvar / 2).exp()).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(pixel(torch.cat([mean, logvar], 1)).log_prob(x), expected)
    # the learned variance has its optimum at the mean square
    mse = (x - mean).square().mean()
    learned.logvar.data.fill_(mse.log())
    (grad,) = torch.autograd.grad(learned(mean).log_prob(x).mean(), learned.logvar)
    torch.testing.assert_close(grad, torch.zeros(1), atol=1e-3, rtol=0)
    refused = {"variance": "free"}, {"sigma": 0.0}, {"variance": "per_pixel", "sigma": 1.0}
    for options in (*refused, {"mean": "tanh"}):
        with pytest.raises(ValueError, match="gaussian likelihood"):
            create("gaussian", (3, 4, 4), **options)


def test_gaussian_means_can_be_bounded():
    params, data_mean = 3 * torch.randn(5, 6, 4, 4), torch.rand(3, 4, 4).clamp(0.01, 0.99)
    free = create("gaussian", (3, 4, 4), variance="per_pixel")
    bounded = create("gaussian", (3, 4, 4), variance="per_pixel", mean="sigmoid")
    logits, logvar = params.chunk(2, 1)
    x = torch.rand(5, 3, 4, 4)
    expected = free(torch.cat([logits.sigmoid(), logvar], 1)).log_prob(x)
    torch.testing.assert_close(bounded(params).log_prob(x), expected)
    for likelihood in (free, bounded):
        start = likelihood(likelihood.init_from_mean(data_mean)[None])
        torch.testing.assert_close(start.mean[0], data_mean)
