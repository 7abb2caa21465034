"""The posterior of AutoencoderKL by itself, and a whole training step around it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from common import Options, Section
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Theirs
from torch import Tensor

from integration.table import Table
from pyvae.benchmarking import Variant, memory_of, race
from pyvae.benchmarking.tables import si_bytes
from pyvae.integrations import diffusers as ours

LATENTS = (8, 8, 64, 64)  # of eight images of 512 x 512


def run(how: Options) -> Section:
    table = Table("diffusers", "The posterior of an autoencoder of diffusers")
    kinds = {"before": Theirs, "after": ours.DiagonalGaussianDistribution}
    parameters = torch.randn(LATENTS, requires_grad=True)
    values = [(k(parameters).kl(), k(parameters).nll(parameters[:, :4])) for k in kinds.values()]
    torch.testing.assert_close(*values, rtol=1e-5, atol=1e-3)

    def sample_and_kl(kind: Any) -> tuple[Any, Tensor, Tensor]:
        q = kind(parameters)
        return q, q.sample(), q.kl()

    def step(kind: Any) -> Any:
        _, z, kl = sample_and_kl(kind)
        return torch.autograd.grad(z.sum() + kl.sum(), parameters)

    variants = {name: Variant(lambda _, kind=kind: step(kind)) for name, kind in kinds.items()}
    table.add("sample + kl, 8 x 4 x 64 x 64", race(variants, seconds=how.seconds))
    kept = {
        name: memory_of(lambda _, kind=kind: sample_and_kl(kind)).kept
        for name, kind in kinds.items()
    }
    table.data["bytes kept for the backward"] = kept

    torch.manual_seed(0)
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 64),
        norm_num_groups=8,
    )
    x = torch.randn(2, 3, 64, 64)

    def train(own: bool, sampled: bool = True) -> list[Tensor]:
        with ours.patched() if own else nullcontext():
            q = model.encode(x).latent_dist
            out = model.decode(q.sample() if sampled else q.mode()).sample
            loss = (out - x).square().mean() + 1e-6 * q.kl().mean()
            return [loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))]

    for a, b in zip(train(False, sampled=False), train(True, sampled=False), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    steps = {name: Variant(lambda _, own=name == "after": train(own)) for name in kinds}
    table.add("AutoencoderKL, a training step at 2 x 3 x 64 x 64", race(steps, seconds=how.seconds))
    sizes = ", ".join(f"{name} {si_bytes(size)}" for name, size in kept.items())
    return table.section(f"Kept for the backward of sample and kl, with their results: {sizes}.")
