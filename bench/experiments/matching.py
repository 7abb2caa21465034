"""The aggregated posterior beside the prior: MMD under the VAE, InfoVAE, MMD-VAE and the AAE.

    PYVAE_DATA_DIR=... python bench/experiments/matching.py [--epochs N] [--seeds N]

MNIST with two latents, 300-300 hidden units. The figure shows one z ~ q(z|x) for each of 5000 test
digits, coloured by class, on the prior's circles of one, two and three standard deviations; the MMD
is that of all test digits (Zhao, Song & Ermon 2017; Makhzani et al. 2015).
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import torch
from figures import panels, save
from matplotlib.patches import Circle
from runs import Run, parser, train, write

from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run

SYSTEMS = {
    "autoencoder": "autoencoder",
    "VAE": "elbo",
    "InfoVAE": "infovae",
    "MMD-VAE": "mmd_vae",
    "AAE": "aae --objective-args hidden=256,256",
}
FIGURES = ("mmd", "marginal_kl", "mutual_information", "rate", "distortion")


@torch.no_grad()
def scatter(plot: Any, run: Run) -> None:
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    model.eval()
    test = view.data.test
    torch.manual_seed(0)
    z = model.encode(view.held_out_values(test.x[:5000])).sample()
    plot.scatter(*z.T, c=test.y[:5000], cmap="tab10", s=1.5, linewidths=0)
    for radius in (1, 2, 3):
        plot.add_patch(Circle((0, 0), radius, fill=False, linewidth=0.8))
    plot.set_aspect("equal")
    plot.set_xlim(-4.5, 4.5), plot.set_ylim(-4.5, 4.5)


def main() -> None:
    options = parser(__doc__ or "", epochs=10, seeds=1).parse_args()
    shared = ["--dataset", "mnist", "--latent-dim", "2", "--batch-size", "200"]
    shared += ["--encoder-args", "hidden=300,300", "--decoder-args", "hidden=300,300"]
    shared += ["--lr", "1e-3", "--eval-samples", "0", "--epochs", str(options.epochs)]
    figure, axes = panels(list(SYSTEMS), width=2.6)
    rows, data = [], {}
    for (name, objective), plot in zip(SYSTEMS.items(), axes, strict=True):
        given = [*shared, "--objective", *objective.split()]
        label = "matching-" + name.lower()
        runs = [
            train(f"{label}-{seed}", [*given, "--seed", str(seed)], options)
            for seed in range(options.seeds)
        ]
        data[name] = [run.results for run in runs]
        means = {key: statistics.mean(found[key] for found in data[name]) for key in FIGURES}
        plot.set_title(f"{name}, MMD² {means['mmd']:.4f}", fontsize=10)
        scatter(plot, runs[0])
        rows.append([name, f"{means['mmd']:.4f}", *(f"{means[k]:.2f}" for k in FIGURES[1:])])
    save(figure, options.images / "matching.png")
    print(markdown(["system", *(key.replace("_", " ") for key in FIGURES)], rows))
    write(options, "matching", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
