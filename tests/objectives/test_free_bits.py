"""Free bits, and a warm-up in cycles: what the KL costs."""

import pytest
import torch
from torch.distributions import kl_divergence

from pyvae import VAE
from pyvae.distributions import factor_kl
from pyvae.objectives import ELBO
from pyvae.objectives.kl_weight import KLWeight

GROUPS = ("batch", "datum", "latent")


def weight(per, bits, beta=2.0):
    return KLWeight("elbo", beta, free_bits=bits, free_bits_per=per)


@pytest.mark.parametrize(
    ("per", "kl", "cost", "gradient"),
    [
        ("batch", [1.0, 2.0], 6.0, [0.0, 0.0]),  # their mean, 1.5, is below 3
        ("batch", [1.0, 7.0], 8.0, [1.0, 1.0]),
        ("datum", [1.0, 7.0], 10.0, [0.0, 1.0]),
        ("datum", [1.0, 2.0], 6.0, [0.0, 0.0]),
        ("datum", [[0.0, 1.0], [8.0, 2.0]], 7.0, [[0.5, 0.0], [0.5, 0.0]]),  # two samples of each
        ("latent", [[1.0, 2.0], [3.0, 6.0]], 14.0, [[0.0, 1.0], [0.0, 1.0]]),  # means 2 and 4
        ("latent", [[1.0, 2.0], [3.0, 3.0]], 12.0, [[0.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_the_cost_and_its_gradient(per, kl, cost, gradient):
    """Three nats are free and beta is 2: exactly 0 below, the plain weight over the batch above."""
    kl = torch.tensor(kl, requires_grad=True)
    found = weight(per, 3.0).cost(kl)
    assert found.item() == cost
    assert torch.equal(torch.autograd.grad(found, kl)[0], torch.tensor(gradient))
    if per != "latent":
        mean = kl.detach().mean(0) if kl.ndim > 1 else kl.detach()
        slope = torch.as_tensor(weight(per, 3.0).slope(kl)).expand(mean.shape)
        of_means = torch.tensor(gradient).sum(0) if kl.ndim > 1 else torch.tensor(gradient)
        assert torch.equal(slope / len(mean), of_means)


def gradients(objective, model, x):
    torch.manual_seed(1)
    result = objective(model, x)
    return result, torch.autograd.grad(result.loss, list(model.parameters()))


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("per", GROUPS)
def test_below_the_likelihood_is_trained_and_above_the_bound(linear_gaussian, per, num_samples):
    model, _ = linear_gaussian(exact=False)
    x = torch.randn(6, 5, dtype=torch.float64)
    for bits, plain in ((1e3, ELBO(0.0, num_samples)), (1e-9, ELBO(1.0, num_samples))):
        objective = ELBO(num_samples=num_samples, free_bits=bits, free_bits_per=per)
        result, found = gradients(objective, model, x)
        expected, wanted = gradients(plain, model, x)
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(result.terms, expected.terms)


def test_each_latent_has_free_bits_of_its_own(linear_gaussian):
    """Between the rates of two latents, the KL of the larger one is trained alone."""
    model, _ = linear_gaussian()  # whose first latent tells more than the second
    x = torch.randn(6, 5, dtype=torch.float64)
    q, p = model.encode(x), model.prior()
    rates = factor_kl(q, p).mean(0)
    assert rates[0] > rates[1]
    bits = float(rates.detach().mean())
    result, found = gradients(ELBO(free_bits=bits, free_bits_per="latent"), model, x)
    plain, without = gradients(ELBO(beta=0.0), model, x)
    of_first = torch.autograd.grad(rates[0], list(model.parameters()), allow_unused=True)
    expected = [a if b is None else a + b for a, b in zip(without, of_first, strict=True)]
    torch.testing.assert_close(list(found), expected)
    torch.testing.assert_close(result.loss, plain.loss + rates[0] + bits)
    torch.testing.assert_close(result.terms["kl"], kl_divergence(q, p).mean().detach())


def test_each_datum_has_free_bits_of_its_own(linear_gaussian):
    model, _ = linear_gaussian()
    x = torch.randn(6, 5, dtype=torch.float64)
    kl = kl_divergence(model.encode(x), model.prior())
    bits = float(kl.detach().median())
    result, _ = gradients(ELBO(beta=3.0, free_bits=bits, free_bits_per="datum"), model, x)
    expected = 3 * kl.clamp(min=bits).mean() - result.terms["log_likelihood"]
    torch.testing.assert_close(result.loss, expected)


def test_reinforce_has_the_same_free_bits():
    """The gradient, where data lie on both sides, is that of the sum over all codes."""
    model = VAE((4,), 2, posterior="bernoulli", prior="uniform_categorical").double()
    with torch.no_grad():
        model.posterior.linear.weight.mul_(20)
    x = torch.rand(6, 4, dtype=torch.float64).round()
    q, p = model.encode(x), model.prior()
    kl = kl_divergence(q, p)
    steps = kl.detach().sort().values
    widest = int(steps.diff().argmax())
    bits = float(steps[widest : widest + 2].mean())
    codes = torch.cartesian_prod(*2 * [torch.arange(2.0, dtype=torch.float64)])
    codes = codes[:, None].expand(4, 6, 2)
    expected_likelihood = (q.log_prob(codes).exp() * model.decode(codes).log_prob(x)).sum(0)
    exact = (kl.clamp(min=bits) - expected_likelihood).mean()
    posterior = list(model.posterior.parameters())
    wanted = torch.autograd.grad(exact, posterior)
    objective = ELBO(
        1.0,
        20_000,
        "reinforce",
        baseline="leave_one_out",
        free_bits=bits,
        free_bits_per="datum",
    )
    found = torch.autograd.grad(objective(model, x).loss, posterior)
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"free_bits_per": "pixel"}, "free_bits_per must be one of batch, datum, latent, got 'pi"),
        ({"free_bits": -1.0, "free_bits_per": "latent"}, "free_bits must not be negative, got -1"),
        ({"cycle": 5}, "a cycle needs a warm-up"),
        ({"cycle": 5, "warm_up_steps": 6}, "no longer, in the same unit"),
        ({"free_bits": 1.0, "capacity": 2.0}, "free_bits or capacity, not both"),
        ({"warm_up_epochs": 1, "cycle": 1}, "must have 2 steps or epochs, or more, got 1"),
        (
            {"free_bits": 1.0, "free_bits_per": "latent", "estimator": "sampled"},
            "by the estimator 'auto' or 'analytic', got 'sampled'; free bits per batch and per dat",
        ),
        (
            {"free_bits": 1.0, "free_bits_per": "latent", "estimator": "reinforce"},
            "or 'analytic', got 'reinforce'",
        ),
    ],
)
def test_bad_options_raise(options, said):
    with pytest.raises(ValueError, match=said):
        ELBO(**options)


@pytest.mark.parametrize(
    ("posterior", "prior"),
    [("full_gaussian", "standard_normal"), ("diagonal_gaussian", "mixture_of_gaussians")],
)
def test_dependent_latents_have_no_free_bits_of_their_own(posterior, prior):
    model, x = VAE((4,), 2, posterior=posterior, prior=prior), torch.rand(3, 4)
    with pytest.raises(TypeError, match=r"needs independent latents .* per batch and per datum"):
        ELBO(free_bits=1.0, free_bits_per="latent")(model, x)
    for per in ("batch", "datum"):
        assert ELBO(free_bits=1.0, free_bits_per=per)(model, x).loss.isfinite()


@pytest.mark.parametrize("start", [0, 1])
def test_the_warm_up_begins_again(start):
    """In steps and in epochs; a run that ends within one says so."""
    objective = ELBO(beta=4.0, warm_up_steps=2, warm_up_from=start, cycle=4)
    betas = []
    for step in range(10):
        objective.step_begin(step, 0)
        betas.append(float(objective.kl_weight.slope(torch.tensor(1.0))))
    half = (start + 4) / 2
    assert betas == [start, half, 4, 4, start, half, 4, 4, start, half]
    assert objective.notes(8, 1) == []
    (said,) = objective.notes(10, 1)
    assert said == f"the run ends in the warm-up of a cycle, with beta at {half:g}, not 4"
    epochs = ELBO(warm_up_epochs=1, cycle=2).kl_weight
    progress = []
    for epoch in range(4):
        epochs.begin(100 * epoch, epoch)
        progress.append(epochs.progress)
    assert progress == [0, 1, 0, 1]


def test_the_note_on_a_cycle_names_what_rises():
    (said,) = ELBO(capacity=5.0, warm_up_steps=4, cycle=8).notes(11, 1)
    assert said == "the run ends in the warm-up of a cycle, with capacity at 2.5, not 5"


def test_cycles_are_those_of_fu_and_others():
    """beta_t = f(tau), tau = mod(t - 1, T / M) / (T / M), f = min(1, tau / R), t from 1."""
    total, cycles, share = 40, 4, 0.5
    length = total // cycles
    objective = ELBO(warm_up_steps=int(share * length), cycle=length)
    for t in range(1, total + 1):
        objective.step_begin(t - 1, 0)
        tau = ((t - 1) % length) / length
        assert objective.kl_weight.progress == pytest.approx(min(1.0, tau / share))
