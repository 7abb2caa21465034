"""The loop that ``pyvae train`` is compared with: a VAE on MNIST as a good PyTorch user writes it.

    python bench/hand_written.py --steps N --out LOG.csv

Data in one tensor, batches by index, fresh binarization, logits into the loss, the optimizer in its
fused form, the loss logged every 100 steps without waiting for it in between. No evaluation, no
checkpoints, no progress bar.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pyvae.cli.memory import keep_big_buffers
from pyvae.data import load


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 40))
        self.decoder = nn.Sequential(nn.Linear(20, 500), nn.ReLU(), nn.Linear(500, 784))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, dim=-1)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decoder(z), mean, logvar


def loss_of(x: Tensor, logits: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
    return (reconstruction + kl) / len(x)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--mallopt", action="store_true")
    arguments = parser.parse_args()
    if arguments.mallopt:
        keep_big_buffers()
    torch.manual_seed(0)
    grey = load("mnist").train.x.flatten(1).float() / 255
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    step, total, begun = 0, torch.zeros(()), time.monotonic()
    with open(arguments.out, "w") as log:
        log.write("step,seconds,loss\n")
        while step < arguments.steps:
            for index in torch.randperm(len(grey)).split(100):
                x = torch.bernoulli(grey[index])
                loss = loss_of(x, *model(x))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach()
                step += 1
                if step % 100 == 0:
                    mean = total.item() / 100
                    log.write(f"{step},{time.monotonic() - begun:.4f},{mean:.3f}\n")
                    total.zero_()
                if step >= arguments.steps:
                    break


if __name__ == "__main__":
    main()
