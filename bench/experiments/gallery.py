"""Every preset on MNIST: what it makes after a short training.

    PYVAE_DATA_DIR=... python bench/experiments/gallery.py [--epochs N]

A row for each preset: twelve draws from the prior through the decoder's mean, or, for the
autoencoders, which have no prior of their own, twelve reconstructions of test digits. The settings
are the preset's but for the data, the length, and what a short training needs in the place of
settings that are meant for a long one (``SHORT``).
"""

from __future__ import annotations

import argparse

import torch
from figures import labelled_rows
from runs import Run, parser, train, write
from torch import Tensor

import pyvae.presets  # noqa: F401  registers them
from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run
from pyvae.registry import presets

SHOWN = 12
WITHOUT_PRIOR = ("autoencoder", "autoencoder_conv", "denoising")

#: Schedules, batches and weights that fit so few steps; more epochs for small networks whose
#: weights start large, or whose gradients are noisy.
SHORT = {
    "beta_tcvae": ["--batch-size", "128"],
    "beta_vae_capacity": ["--objective-args", "beta=10", "warm_up_steps=1500"],
    "full_vb": ["--epochs", "30"],
    "infovae": ["--batch-size", "100", "--objective-args", "lambda=100"],
    "kingma2014": ["--epochs", "30"],
    "mmd_vae": ["--batch-size", "100", "--objective-args", "lambda=100"],
    "reinforce": ["--epochs", "10"],
    "wake_sleep": ["--epochs", "10"],
    "warm_up": ["--epochs", "10", "--objective-args", "warm_up_epochs=3"],
}


@torch.no_grad()
def row(run: Run, name: str) -> Tensor:
    """Images (12, 1, 28, 28)."""
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    model.eval()
    torch.manual_seed(0)
    if name in WITHOUT_PRIOR:
        return model.reconstruct(view.held_out_values(view.data.test.x[:SHOWN]))
    return model.sample(SHOWN)


def main() -> None:
    options = parser(__doc__ or "", epochs=3).parse_args()
    names = [name for name in presets.names() if not presets.is_plugin(name)]
    drawn, rows, data = [], [], {}
    for name in names:
        given = ["--preset", name, "--dataset", "mnist", "--epochs", str(options.epochs)]
        given += [*SHORT.get(name, []), "--eval-samples", "0"]
        run = train(f"gallery-{name}", given, options)
        drawn.append((name, row(run, name)))
        found = data[name] = run.results
        rows.append([name, *(f"{found[key]:.1f}" for key in ("elbo", "rate", "distortion"))])
    labelled_rows(options.images / "gallery.png", [drawn])
    print(markdown(["preset", "ELBO", "rate", "distortion"], rows))
    write(options, "gallery", {"epochs": options.epochs, "short": SHORT, "runs": data})


if __name__ == "__main__":
    main()
