"""One layer of latents and two at equal training, diagonal and rank-1, by the ELBO and by IWAE.

    PYVAE_DATA_DIR=... python bench/experiments/layers.py [--epochs N] [--seeds N]

Rezende, Mohamed and Wierstra 2014; Burda, Grosse and Salakhutdinov 2016; inference from the top
down, as Sonderby et al. 2016 have it. MNIST of 14 x 14 pixels.
"""

from __future__ import annotations

import statistics

from figures import draw, panels, save
from runs import parser, train, write
from small_digits import SMALL, small_digits

from pyvae.benchmarking import markdown

_ELBO = "--objective elbo"
_IWAE = "--objective iwae --objective-args num_samples=5"
_ONE, _TWO = "latent_dims=32", "latent_dims=32,16"
_RANK1 = "--posterior rank1_gaussian"
SYSTEMS = {
    "ELBO, one layer, diagonal": f"{_ONE} {_ELBO}",
    "ELBO, one layer, rank-1": f"{_ONE} {_ELBO} {_RANK1}",
    "ELBO, two layers, diagonal": f"{_TWO} {_ELBO}",
    "ELBO, two layers, rank-1": f"{_TWO} {_ELBO} {_RANK1}",
    "IWAE, one layer": f"{_ONE} {_IWAE}",
    "IWAE, two layers": f"{_TWO} {_IWAE}",
}
MODEL = (
    "--batch-size 100 --lr 2e-3 --lr-gamma 0.3 --eval-samples 20 --eval-every 1000000 "
    "--log-every 100 --encoder-args hidden=100 activation=relu --decoder-args hidden=100 "
    "activation=relu --model deep_latent --model-args hidden=100 activation=relu inference=top_down"
)
FIGURES = ("log_likelihood", "elbo")


def main() -> None:
    options = parser(__doc__ or "", epochs=6, seeds=1).parse_args()
    shared = [*small_digits(options.runs), "--epochs", str(options.epochs)]
    shared += ["--lr-milestones", str(options.epochs * 2 // 3), *MODEL.split()]
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
