"""One layer of latents and two, with as much training, by ELBO and by IWAE.

    PYVAE_DATA_DIR=... python bench/experiments/layers.py [--epochs N] [--seeds N]

The networks and layers of Burda, Grosse and Salakhutdinov 2016, Table 1. IWAE has their inference,
from the bottom up; the ELBO has that of Rezende, Mohamed and Wierstra 2014, in the coordinates of
the noise, where the KL of each layer is exact. MNIST of 14 x 14 pixels.
"""

from __future__ import annotations

import statistics

from figures import draw, panels, save
from runs import parser, train, write
from small_digits import SMALL, small_digits

from pyvae.benchmarking import markdown

_ELBO = "--objective elbo --model-args inference=noise"
_IWAE = "--objective iwae --objective-args num_samples=5 --model-args inference=bottom_up"
_RANK1 = "--posterior rank1_gaussian"
_ONE, _TWO = "latent_dims=50", "latent_dims=100,50 hidden=100,100 activation=tanh"
SYSTEMS = {
    "ELBO, one layer": f"{_ELBO} {_ONE}",
    "ELBO, two layers": f"{_ELBO} {_TWO}",
    "IWAE, one layer": f"{_IWAE} {_ONE}",
    "IWAE, two layers": f"{_IWAE} {_TWO}",
    "ELBO, one layer, rank-1": f"{_ELBO} {_ONE} {_RANK1}",
    "ELBO, two layers, rank-1": f"{_ELBO} {_TWO} {_RANK1}",
}
MODEL = (
    "--batch-size 100 --lr 2e-3 --lr-schedule cosine --eval-samples 100 --eval-every 1000000 "
    "--log-every 270 --model deep_latent --init glorot --init-output "
    "--encoder-args hidden=200,200 activation=tanh --decoder-args hidden=200,200 activation=tanh"
)
FIGURES = ("log_likelihood", "elbo")


def main() -> None:
    options = parser(__doc__ or "", epochs=20, seeds=2).parse_args()
    shared = [*small_digits(options.runs), "--epochs", str(options.epochs)]
    shared += MODEL.split()
    runs = {name: [] for name in SYSTEMS}
    for seed in range(options.seeds):
        for number, (name, more) in enumerate(SYSTEMS.items()):
            given = [*shared, *more.split(), "--seed", str(seed)]
            runs[name].append(train(f"layers-{number}-{seed}", given, options))
    figure, (plot,) = panels([""], width=5, height=3.2)
    curves = {name: found[0].curve("train/elbo") for name, found in runs.items() if "ELBO" in name}
    draw(plot, curves, x="training samples seen", y="train elbo, nats", log=False)
    ends = [ys[-1] for _, ys in curves.values()]
    plot.set_ylim(min(ends) - 10, max(ends) + 2), plot.legend(fontsize=8)
    save(figure, options.images / "layers.png")
    rows, data = [], {}
    for name, found in runs.items():
        each = [[run.results[key] for run in found] for key in FIGURES]
        layers = zip(*(run.results["kl_per_layer"] for run in found), strict=True)
        rows.append(
            [
                name,
                ", ".join(f"{value:.2f}" for value in each[0]),
                *(f"{statistics.mean(values):.2f}" for values in each),
                " + ".join(f"{statistics.mean(kl):.1f}" for kl in layers),
            ]
        )
        data[name] = [{**run.results, "dataset": SMALL} for run in found]
    print(markdown(["", "log p(x), each seed", "mean", "ELBO", "KL of each layer"], rows))
    write(options, "layers", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
