"""Every preset on MNIST: what it makes after the same number of epochs.

    PYVAE_DATA_DIR=... python bench/experiments/gallery.py [--epochs N]

A row for each preset: twelve draws from the prior through the decoder's mean, or, for the
autoencoders, which have no prior of their own, twelve reconstructions of test digits. The settings
are the preset's but for the data and the length.
"""

from __future__ import annotations

import argparse

import torch
from figures import save
from matplotlib.figure import Figure
from runs import Run, parser, train, write
from torch import Tensor

import pyvae.presets  # noqa: F401  registers them
from pyvae import plots
from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run
from pyvae.registry import presets

SHOWN = 12
WITHOUT_PRIOR = ("autoencoder", "autoencoder_conv", "denoising")


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
    half = (len(names) + 1) // 2
    figure = Figure(figsize=(9, 0.42 * half), layout="constrained")
    axes = figure.subplots(half, 2, squeeze=False).T.flatten()
    rows, data = [], {}
    for name, plot in zip(names, axes, strict=False):
        given = ["--preset", name, "--dataset", "mnist", "--epochs", str(options.epochs)]
        run = train(f"gallery-{name}", [*given, "--eval-samples", "0"], options)
        sheet = plots.image_grid(row(run, name), columns=SHOWN)
        plot.imshow(sheet[0], cmap="gray", vmin=0, vmax=1)
        plot.set_ylabel(name.replace("_", " "), fontsize=7, rotation=0, ha="right", va="center")
        found = data[name] = run.results
        rows.append([name, *(f"{found[key]:.1f}" for key in ("elbo", "rate", "distortion"))])
    for plot in axes:
        plot.set_xticks([]), plot.set_yticks([])
    for plot in axes[len(names) :]:
        plot.set_axis_off()
    save(figure, options.images / "gallery.png")
    print(markdown(["preset", "ELBO", "rate", "distortion"], rows))
    write(options, "gallery", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
