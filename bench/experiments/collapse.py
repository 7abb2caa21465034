"""Posterior collapse beside a decoder that needs no latents, and two cures: the rate, by objective.

    PYVAE_DATA_DIR=... python bench/experiments/collapse.py [--steps N] [--seeds N]

A VAE with a PixelCNN decoder whose first layer is nearly as wide as the image, on MNIST of 14 x 14
pixels (means of 2 x 2, binarized once). The ELBO, free bits (Kingma et al. 2016) and InfoVAE (Zhao,
Song and Ermon 2017); the figure shows the rate along training, each seed a line.
"""

from __future__ import annotations

import statistics

from figures import panels, save
from runs import parser, train, write
from small_digits import SMALL, small_digits

from pyvae.benchmarking import markdown

SYSTEMS = {
    "ELBO": "--objective elbo",
    "ELBO, free_bits=5": "--objective elbo --objective-args free_bits=5",
    "InfoVAE, alpha=0.99 lambda=10": "--objective infovae --objective-args alpha=0.99 lambda=10",
}
MODEL = (
    "--latent-dim 10 --encoder-args hidden=200 --decoder pixelcnn "
    "--decoder-args channels=16 blocks=1 first_size=13 --batch-size 25 --lr 3e-3 "
    "--log-every 25 --eval-every 1000000 --eval-samples 0"
)
FIGURES = ("rate", "distortion", "mutual_information", "elbo")


def main() -> None:
    options = parser(__doc__ or "", steps=1200, seeds=3).parse_args()
    shared = [*small_digits(options.runs), *MODEL.split(), "--steps", str(options.steps)]
    runs = {name: [] for name in SYSTEMS}
    for seed in range(options.seeds):
        for number, (name, objective) in enumerate(SYSTEMS.items()):
            more = [*objective.split(), "--seed", str(seed)]
            runs[name].append(train(f"collapse-{number}-{seed}", [*shared, *more], options))
    figure, (plot,) = panels([""], width=5, height=3.2)
    for number, (name, found) in enumerate(runs.items()):
        for run in found:
            samples, kl = run.curve("train/kl")
            label = name if run is found[0] else None
            plot.plot(samples, kl, color=f"C{number}", label=label, linewidth=1.2)
    plot.set_yscale("log"), plot.legend(fontsize=8)
    plot.set_xlabel("training samples seen"), plot.set_ylabel("rate, nats")
    save(figure, options.images / "collapse.png")
    rows = [
        [name, *(" ".join(f"{run.results[key]:.2f}" for run in found) for key in FIGURES)]
        for name, found in runs.items()
    ]
    print(markdown(["objective", *(key.replace("_", " ") for key in FIGURES)], rows))
    means = {
        name: {key: statistics.mean(run.results[key] for run in found) for key in FIGURES}
        for name, found in runs.items()
    }
    data = {
        name: [{**run.results, "dataset": SMALL} for run in found] for name, found in runs.items()
    }
    write(options, "collapse", {"steps": options.steps, "means": means, "runs": data})


if __name__ == "__main__":
    main()
