"""The losses of four widely used implementations, as they write them and by the ops."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as TF
from common import Options, Section
from torch import Tensor

from integration.table import Table
from pyvae import functional as F
from pyvae.benchmarking import Variant, race

B, D, L = 128, 784, 20
WEIGHT = 0.00025
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(-1)


def normal(z: Tensor, loc: Tensor | float, scale: Tensor) -> Tensor:
    var = scale.pow(2)
    return (-0.5 * torch.log(2 * math.pi * var) - (z - loc).pow(2) / (2 * var)).sum(-1)


def bce(x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return TF.binary_cross_entropy(logits.sigmoid(), x, reduction="sum") + kl(mu, logvar).sum()


def bce_probs(x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    log_p = F.bernoulli_log_prob(x, probs=logits.sigmoid())
    return F.gaussian_kl(mu, logvar).sum() - log_p.sum()


def bce_logits(x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return F.elbo_loss(x, logits, mu, logvar, reduction="sum")


def mean_square(x: Tensor, recons: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return TF.mse_loss(recons, x) + WEIGHT * kl(mu, logvar).mean()


def mean_square_ops(x: Tensor, recons: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    unit = (recons, -math.log(2))
    loss = F.elbo_loss(x, unit, mu, logvar, likelihood="gaussian", beta=D * WEIGHT)
    return loss / D - math.log(math.pi) / 2


def sampled(x: Tensor, logits: Tensor, loc: Tensor, free: Tensor) -> Tensor:
    scale, one = TF.softplus(free), torch.ones(L)
    z = loc + scale * free.detach()  # any numbers, the same on both sides
    log_p = -TF.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    return -(log_p + normal(z, 0.0, one) - normal(z, loc, scale)).mean()


def sampled_ops(x: Tensor, logits: Tensor, loc: Tensor, free: Tensor) -> Tensor:
    scale = TF.softplus(free)
    z = loc + scale * free.detach()
    log_p = F.bernoulli_log_prob(x, logits) + F.gaussian_log_prob(z, torch.zeros_like(z))
    return -(log_p - F.gaussian_log_prob(z, loc, scale=scale)).mean()


def half_square(x: Tensor, recon: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    squares = 0.5 * TF.mse_loss(recon, x, reduction="none").sum(-1)
    return (squares + kl(mu, logvar)).mean()


def half_square_ops(x: Tensor, recon: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    loss = F.elbo_loss(x, recon, mu, logvar, likelihood="gaussian")
    return loss - D * math.log(2 * math.pi) / 2


PAIRS: dict[str, tuple[Loss, Loss]] = {
    "pytorch/examples, probabilities": (bce, bce_probs),
    "pytorch/examples, without the sigmoid": (bce, bce_logits),
    "AntixK/PyTorch-VAE": (mean_square, mean_square_ops),
    "altosaar/variational-autoencoder": (sampled, sampled_ops),
    "pythae": (half_square, half_square_ops),
}


def run(how: Options) -> Section:
    table = Table("losses", "Loss and gradient, 128 x 784, 20 latents")
    x = torch.rand(B, D)
    leaves = [torch.randn(B, n).requires_grad_() for n in (D, L, L)]
    for name, (before, after) in PAIRS.items():

        def gradients(loss: Loss) -> list[Tensor]:
            value = loss(x, *leaves)
            return [value.detach(), *torch.autograd.grad(value, leaves)]

        for a, b in zip(gradients(before), gradients(after), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        variants = {
            "before": Variant(lambda _, loss=before: gradients(loss)),
            "after": Variant(lambda _, loss=after: gradients(loss)),
        }
        table.add(name, race(variants, seconds=how.seconds))
    return table.section()
