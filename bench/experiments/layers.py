"""One layer of latents and two, with as much training and as many weights, by ELBO and by IWAE.

    PYVAE_DATA_DIR=... python bench/experiments/layers.py [--epochs N] [--seeds N]

Rezende, Mohamed and Wierstra 2014, whose inference it is, in the coordinates of the noise; Burda,
Grosse and Salakhutdinov 2016. MNIST of 14 x 14 pixels.
"""

from __future__ import annotations

import statistics

from figures import draw, panels, save
from runs import parser, train, write
from small_digits import SMALL, small_digits

from pyvae.benchmarking import markdown

_ELBO = "--objective elbo"
_IWAE = "--objective iwae --objective-args num_samples=5"
_RANK1 = "--posterior rank1_gaussian"


def _layers(latents: str, width: int) -> str:
    """So many latents in each layer, and so many units between the data and the first of them."""
    network = f"hidden={width} activation=relu"
    return (
        f"--model-args latent_dims={latents} hidden=100 activation=relu inference=noise "
        f"--encoder-args {network} --decoder-args {network}"
    )


_ONE, _TWO = _layers("32", 144), _layers("32,16", 100)  # 70,820 weights and 70,756
SYSTEMS = {
    "ELBO, one layer": f"{_ONE} {_ELBO}",
    "ELBO, two layers": f"{_TWO} {_ELBO}",
    "IWAE, one layer": f"{_ONE} {_IWAE}",
    "IWAE, two layers": f"{_TWO} {_IWAE}",
    "ELBO, one layer, rank-1": f"{_ONE} {_ELBO} {_RANK1}",
    "ELBO, two layers, rank-1": f"{_TWO} {_ELBO} {_RANK1}",
}
MODEL = (
    "--batch-size 100 --lr 2e-3 --lr-schedule cosine --eval-samples 20 --eval-every 1000000 "
    "--log-every 100 --model deep_latent"
)
FIGURES = ("log_likelihood", "elbo")


def main() -> None:
    options = parser(__doc__ or "", epochs=2, seeds=2).parse_args()
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
