"""An epoch of Lightning, 784-500-20 at batch 100: a module by hand and VAEModule."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import lightning
import torch
import torch.nn.functional as TF
from common import Options, Section
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import pyvae
from integration.table import Table
from pyvae.benchmarking import Times
from pyvae.integrations.lightning import VAEModule

ROWS, RUNS = 6000, 5


def model() -> pyvae.VAE:
    torch.manual_seed(0)
    hidden = {"hidden": [500]}
    return pyvae.VAE((784,), 20, encoder_args=hidden, decoder_args=hidden)


class ByHand(lightning.LightningModule):
    """The loss that everyone writes, of the same networks."""

    def __init__(self, vae: pyvae.VAE) -> None:
        super().__init__()
        self.vae = vae

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (x,) = batch
        mean, logvar = self.vae.posterior.linear(self.vae.encoder(x)).chunk(2, -1)
        z = mean + (logvar / 2).exp() * torch.randn_like(mean)
        logits = self.vae.decoder(z)
        log_p = -TF.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean()
        kl = (-0.5 * (1 + logvar - mean.pow(2) - logvar.exp())).sum(-1).mean()
        elbo = {"train/elbo": log_p - kl, "train/kl": kl, "train/log_likelihood": log_p}
        self.log_dict(elbo)
        return kl - log_p

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


class Clock(lightning.Callback):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self.begun = time.perf_counter()

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.seconds.append(time.perf_counter() - self.begun)


def run(how: Options) -> Section:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    loader = DataLoader(TensorDataset(torch.rand(ROWS, 784).round()), batch_size=100)
    taken: dict[str, list[float]] = {"before": [], "after": []}
    bounds = {}
    for _ in range(RUNS):
        for name in taken:
            made = (
                ByHand(model()) if name == "before" else VAEModule(model(), pyvae.objectives.ELBO())
            )
            clock = Clock()
            trainer = lightning.Trainer(
                max_epochs=2,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[clock],
            )
            trainer.fit(made, loader)
            taken[name].append(clock.seconds[-1])
            bounds[name] = float(trainer.callback_metrics["train/elbo"])
    if abs(bounds["after"] / bounds["before"] - 1) > 0.02:
        raise SystemExit(f"lightning: the ELBOs differ: {bounds}")
    table = Table("lightning", "An epoch of Lightning, 784-500-20, 60 batches of 100")
    table.add("epoch", {name: Times(tuple(all_)) for name, all_ in taken.items()})
    table.data["epoch"]["elbo"] = bounds
    return table.section()
