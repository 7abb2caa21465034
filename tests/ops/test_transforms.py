"""The ops under torch.func and vmap, and their higher and forward derivatives."""

import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing.sweep.transforms import *  # noqa: F403

F64 = torch.float64


@pytest.mark.parametrize("loss", [F.elbo_loss, None], ids=["elbo_loss", "parts"])
def test_gradients_per_sample(loss):
    encoder, decoder = torch.nn.Linear(6, 4).double(), torch.nn.Linear(2, 6).double()
    x, seed = torch.rand(5, 6, dtype=F64), torch.tensor(3)
    weights = {**{f"0.{k}": p.detach() for k, p in encoder.named_parameters()}}
    weights |= {f"1.{k}": p.detach() for k, p in decoder.named_parameters()}
    both = torch.nn.ModuleList([encoder, decoder])

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = both

        def forward(self, x, seed):
            mean, logvar = self.parts[0](x[None]).chunk(2, -1)
            z, kl = F.gaussian_rsample_kl(mean, logvar, seed=seed)
            logits = self.parts[1](z)
            if loss is not None:
                return loss(x[None], logits, mean, logvar)
            return (kl - F.bernoulli_log_prob(x[None], logits)).mean()

    step = Step()
    weights = {f"parts.{k}": v for k, v in weights.items()}
    seeds = torch.arange(5)

    def one(w, x, seed):
        return functional_call(step, w, (x, seed))

    per_sample = vmap(grad(one), in_dims=(None, 0, 0))(weights, x, seeds)
    for i in range(5):
        expected = grad(one)(weights, x[i], seeds[i])
        assert_close({k: v[i] for k, v in per_sample.items()}, expected)
    assert seed.shape == ()


def test_randomness_under_vmap():
    mean, logvar = torch.zeros(4, 3), torch.zeros(4, 3)
    for draw in (
        lambda m: F.gaussian_rsample(m, logvar[0]),
        lambda m: F.gaussian_rsample_kl(m[None], logvar[:1])[0][0],
    ):
        different = vmap(draw, randomness="different")(mean)
        assert different.flatten().unique().numel() == 12
        same = vmap(draw, randomness="same")(mean)
        assert (same == same[0]).all()
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(draw)(mean)


def test_vmap_of_vmap():
    mean, logvar = torch.randn(2, 3, 4, 5, 6, dtype=F64)
    for priors in ((), (logvar,), (logvar, mean)):
        nested = vmap(vmap(F.gaussian_kl))(mean, logvar, *priors)
        assert_close(nested, F.gaussian_kl(mean, logvar, *priors, batch_ndim=3))

    def draw(m, v, s):
        return F.gaussian_rsample(m, v, seed=s)

    def slope(m, v, s):
        return grad(lambda v: draw(m, v, s).square().sum())(v)

    seeds = torch.arange(12).reshape(3, 4)
    for f in (draw, slope):
        expected = torch.stack(
            [
                f(m, v, s)
                for m, v, s in zip(
                    mean.flatten(0, 1), logvar.flatten(0, 1), seeds.flatten(), strict=True
                )
            ]
        )
        assert_close(vmap(vmap(f))(mean, logvar, seeds).flatten(0, 1), expected)
    different = vmap(vmap(F.gaussian_rsample, randomness="different"), randomness="different")
    assert different(torch.zeros(3, 4, 5), torch.zeros(3, 4, 5)).unique().numel() == 60
