"""Probabilities, standard deviations and squared errors instead of logits and log-variances."""

import math

import pytest
import torch
import torch.nn.functional as TF
from torch.distributions import Bernoulli, Normal

from pyvae import functional as F

B, D, L = 6, 12, 3


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


def value_and_grads(loss, leaves):
    return [loss.detach(), *torch.autograd.grad(loss, leaves, retain_graph=True)]


def agree(ours, theirs, leaves):
    ours, theirs = value_and_grads(ours, leaves), value_and_grads(theirs, leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=3e-6, atol=3e-6)


def test_probs_give_the_loss_and_the_gradient_of_binary_cross_entropy(dtype):
    """Through the sigmoid: the slope in p itself is x - p, to rounding, over p (1 - p)."""
    logits = (3 * torch.randn(B, D, dtype=dtype)).requires_grad_()
    p = logits.sigmoid()
    for x in (torch.rand(B, D, dtype=dtype), torch.rand(B, D, dtype=dtype).round()):
        theirs = TF.binary_cross_entropy(p, x, reduction="sum")
        agree(-F.bernoulli_log_prob(x, probs=p).sum(), theirs, [logits])


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("p", [0.0, 1e-30, 1e-8, 1 - 6e-8, 1.0])
def test_saturated_probs_cost_what_they_cost_torch(p, x, dtype):
    """Compared through the slope p (1 - p) of the sigmoid that they come from."""
    p = torch.tensor([[p]], dtype=dtype)
    x = torch.tensor([[x]], dtype=dtype)
    slope = p * (1 - p)
    free = torch.zeros(1, 1, dtype=dtype, requires_grad=True)
    theirs = TF.binary_cross_entropy(p, x, reduction="sum")
    loss = -F.bernoulli_log_prob(x, probs=p + free * slope).sum()
    torch.testing.assert_close(loss, theirs)
    (grad,) = torch.autograd.grad(loss, free)
    at_edge = bool(slope == 0)
    torch.testing.assert_close(grad, torch.zeros_like(p) if at_edge else p - x)


def test_a_saturated_sigmoid_leaves_no_nan():
    logits = torch.tensor([[-200.0, -30.0, 30.0, 200.0]], requires_grad=True)
    loss = -F.bernoulli_log_prob(torch.tensor([[1.0, 1.0, 0.0, 0.0]]), probs=logits.sigmoid()).sum()
    (grad,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite() and grad.isfinite().all()


def test_16_bit_probs_are_read_in_float32():
    p = torch.tensor([[0.25, 0.5, 0.9922]], dtype=torch.bfloat16)
    exact = F.bernoulli_log_prob(torch.ones(1, 3), probs=p.float())
    assert torch.equal(F.bernoulli_log_prob(torch.ones(1, 3), probs=p), exact)
    assert F.probs_to_logits(p).dtype == torch.float32


def test_the_slope_of_the_logit_can_be_differentiated():
    p = torch.rand(5, dtype=torch.float64).clamp(0.1, 0.9).requires_grad_()
    assert torch.autograd.gradcheck(F.probs_to_logits, p, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(F.probs_to_logits, p)
    each = torch.func.vmap(torch.func.grad(lambda q: F.probs_to_logits(q)))(p.detach())
    torch.testing.assert_close(each, 1 / (p * (1 - p)).detach())


def test_probs_and_scale_compile_without_a_break():
    x, s = torch.rand(B, D).round(), torch.rand(B, D) + 0.5
    p = 0.1 + 0.8 * torch.rand(B, D)

    def loss(p, s):
        return F.bernoulli_log_prob(x, probs=p) + F.gaussian_log_prob(x, p, scale=s)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    leaves = [p.requires_grad_(), s.requires_grad_()]
    agree(compiled(p, s).sum(), loss(p, s).sum(), leaves)


def test_scale_gives_the_density_of_torch(dtype):
    mean = torch.randn(B, D, dtype=dtype).requires_grad_()
    x, scale = torch.randn(B, D, dtype=dtype), (torch.rand(D, dtype=dtype) + 0.1).requires_grad_()
    theirs = Normal(mean, scale).log_prob(x).sum()
    agree(F.gaussian_log_prob(x, mean, scale=scale).sum(), theirs, [mean, scale])
    number = F.gaussian_log_prob(x, mean, scale=0.3).sum()
    agree(number, Normal(mean, 0.3).log_prob(x).sum(), [mean])


def test_the_constants_of_squared_errors(dtype):
    x = torch.randn(B, D, dtype=dtype)
    mean = torch.randn(B, D, dtype=dtype).requires_grad_()
    n = x.numel()
    whole = -F.gaussian_log_prob(x, mean, -math.log(2)).sum() - n * math.log(math.pi) / 2
    agree(whole, TF.mse_loss(mean, x, reduction="sum"), [mean])
    half = -F.gaussian_log_prob(x, mean).sum() - n * math.log(2 * math.pi) / 2
    agree(half, TF.mse_loss(mean, x, reduction="sum") / 2, [mean])


def test_an_argument_given_twice_or_not_at_all_is_named():
    x = torch.zeros(2, 3)
    with pytest.raises(TypeError, match=r"bernoulli_log_prob: .* logits and probs, got none"):
        F.bernoulli_log_prob(x)
    with pytest.raises(TypeError, match=r"bernoulli_log_prob: .*, got logits and probs"):
        F.bernoulli_log_prob(x, x, probs=x)
    with pytest.raises(TypeError, match=r"gaussian_log_prob: .*, got logvar and scale"):
        F.gaussian_log_prob(x, x, 0.0, scale=1.0)
    with pytest.raises(ValueError, match="scale must be positive, got -1"):
        F.gaussian_log_prob(x, x, scale=-1.0)
    with pytest.raises(TypeError, match=r"probs must be a floating-point tensor, got torch.int64"):
        F.bernoulli_log_prob(x, probs=torch.ones(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"floating-point tensor, got torch.int64"):
        F.gaussian_log_prob(x, x, scale=torch.ones(3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"floating-point tensor, got str"):
        F.gaussian_log_prob(x, x, scale="1")


# The losses of four widely used implementations, each beside its one-line swap.


@pytest.fixture
def vae():
    """Images x, and leaves: the decoder's logits, mean and log-variance of q(z|x)."""
    leaves = [torch.randn(B, n).requires_grad_() for n in (D, L, L)]
    return torch.rand(B, D), *leaves


def test_the_loss_of_the_pytorch_example(vae):
    x, logits, mu, logvar = vae
    recon = logits.sigmoid()
    bce = TF.binary_cross_entropy(recon, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    ours = F.gaussian_kl(mu, logvar).sum() - F.bernoulli_log_prob(x, probs=recon).sum()
    agree(ours, bce + kld, vae[1:])
    agree(F.elbo_loss(x, logits, mu, logvar, reduction="sum"), bce + kld, vae[1:])


def test_the_loss_of_pytorch_vae(vae):
    """A mean over the elements, and a weight of the KL that belongs to it."""
    x, recons, mu, log_var = vae
    weight = 0.00025
    kld = torch.mean(-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1), dim=0)
    theirs = TF.mse_loss(recons, x) + weight * kld
    half = (recons, -math.log(2))
    beta = D * weight
    ours = F.elbo_loss(x, half, mu, log_var, likelihood="gaussian", beta=beta) / D
    agree(ours - math.log(math.pi) / 2, theirs, vae[1:])


def test_the_loss_of_altosaar(vae):
    """A one-sample ELBO from standard deviations, logits, and the density of each."""
    x, logits, loc, free = vae
    scale = TF.softplus(free)
    z = loc + scale * torch.randn(B, L)
    log_q = Normal(loc, scale).log_prob(z).sum(-1)
    log_p = Normal(0.0, 1.0).log_prob(z).sum(-1) + Bernoulli(
        logits=logits, validate_args=False
    ).log_prob(x).sum(-1)
    ours = (
        F.gaussian_log_prob(z, torch.zeros_like(z))
        + F.bernoulli_log_prob(x, logits)
        - F.gaussian_log_prob(z, loc, scale=scale)
    )
    agree(-ours.mean(), -(log_p - log_q).mean(), vae[1:])


@pytest.mark.parametrize("likelihood", ["mse", "bce"])
def test_the_loss_of_pythae(vae, likelihood):
    x, out, mu, log_var = vae
    if likelihood == "mse":
        recon = 0.5 * TF.mse_loss(out, x, reduction="none").sum(-1)
        ours = -F.gaussian_log_prob(x, out) - D * math.log(2 * math.pi) / 2
    else:
        recon = TF.binary_cross_entropy(out.sigmoid(), x, reduction="none").sum(-1)
        ours = -F.bernoulli_log_prob(x, probs=out.sigmoid())
    kld = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=-1)
    agree((ours + F.gaussian_kl(mu, log_var)).mean(0), (recon + kld).mean(0), vae[1:])
