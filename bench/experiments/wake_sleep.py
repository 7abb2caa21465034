"""Kingma & Welling 2014, Fig. 2: AEVB against wake-sleep, by the bound along training.

    PYVAE_DATA_DIR=... python bench/experiments/wake_sleep.py [--samples N]

One tanh layer of 500 units (MNIST) or 200 (Frey Face) on each side, Adagrad, batches of 100, one
sample. The paper sees 1e8 (MNIST) and 1e7 (Frey Face) data; ``--samples`` says how many here.
"""

from __future__ import annotations

import matplotlib.ticker
from figures import draw, panels, save
from runs import parser, train, write

FIGURE = {
    "mnist": (500, (3, 5, 10, 20, 200), ["--likelihood", "bernoulli"]),
    "freyface": (200, (2, 5, 10, 20), ["--likelihood", "gaussian"]),
}
METHODS = {"AEVB": "elbo", "wake-sleep": "wake_sleep"}


def main() -> None:
    options = parser(__doc__ or "", samples=1_200_000).parse_args()
    steps = options.samples // 100
    data: dict[str, dict[str, dict[str, object]]] = {}
    for dataset, (hidden, sizes, likelihood) in FIGURE.items():
        figure, axes = panels([f"{dataset}, {n} latents" for n in sizes])
        data[dataset] = {}
        for n, plot in zip(sizes, axes, strict=True):
            shared = ["--dataset", dataset, "--latent-dim", str(n), *likelihood]
            for side in ("encoder", "decoder"):
                shared += [f"--{side}-args", f"hidden={hidden}", "activation=tanh"]
            shared += ["--optimizer", "adagrad", "--lr", "0.02", "--steps", str(steps)]
            shared += ["--eval-every", str(max(1, steps // 30)), "--eval-samples", "0"]
            shared += ["--eval-split", "test", "--eval-subset", "0"]
            runs = {
                name: train(f"fig2-{dataset}-{n}-{o}", [*shared, "--objective", o], options)
                for name, o in METHODS.items()
            }
            curves = {name: run.curve("test/elbo") for name, run in runs.items()}
            draw(plot, curves, x="training samples seen", y="bound, nats per datum")
            pairs = zip(*(ys for _, ys in curves.values()), strict=True)
            above = sum(a > b for a, b in pairs)
            points = len(curves["AEVB"][0])
            data[dataset][str(n)] = {
                **{name: run.results["elbo"] for name, run in runs.items()},
                "points": points,
                "AEVB above": above,
            }
            best = max(max(ys) for _, ys in curves.values())
            worst = min(ys[len(ys) // 4] for _, ys in curves.values())
            plot.set_ylim(worst - 0.3 * (best - worst), best + 0.1 * (best - worst))
            plot.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
            print(dataset, n, data[dataset][str(n)])
        axes[0].legend(fontsize=8)
        save(figure, options.images / f"fig2_{dataset}.png")
    write(options, "wake_sleep", {"samples": options.samples, "data": data})


if __name__ == "__main__":
    main()
