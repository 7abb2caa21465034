"""Kingma & Welling 2014, Fig. 2: AEVB against wake-sleep, by the bound along training.

    PYVAE_DATA_DIR=... python bench/experiments/wake_sleep.py [--samples N]

One tanh layer of 500 units (MNIST) or 200 (Frey Face: a mean in (0, 1) and a variance for each
pixel) on each side, weights that start as N(0, 0.01), Adagrad, batches of 100, one sample. As in
the paper the step size is that of 0.01, 0.02 and 0.1 with the best bound on the training data early
on, here after 500 steps with 10 latents, for either method by itself. The paper sees 1e8 (MNIST)
and 1e7 (Frey Face) data; ``--samples`` says how many here.
"""

from __future__ import annotations

import argparse
import math

import matplotlib.ticker
from figures import draw, panels, save
from runs import parser, train, write

from pyvae.benchmarking import markdown

FIGURE = {
    "mnist": (500, (3, 5, 10, 20, 200), ["--likelihood", "bernoulli"]),
    "freyface": (
        200,
        (2, 5, 10, 20),
        ["--likelihood", "gaussian", "--likelihood-args", "variance=per_pixel", "mean=sigmoid"],
    ),
}
METHODS = {"AEVB": "elbo", "wake-sleep": "wake_sleep"}
STEP_SIZES = (0.01, 0.02, 0.1)
POINTS = 12  # of a curve


def settings(dataset: str, latents: int, objective: str, lr: float) -> list[str]:
    hidden, _, likelihood = FIGURE[dataset]
    given = ["--dataset", dataset, "--latent-dim", str(latents), *likelihood]
    for side in ("encoder", "decoder"):
        given += [f"--{side}-args", f"hidden={hidden}", "activation=tanh"]
    given += ["--init", "normal", "--optimizer", "adagrad", "--lr", str(lr)]
    return [*given, "--objective", objective, "--eval-samples", "0"]


def step_size(dataset: str, objective: str, options: argparse.Namespace) -> float:
    """That of the best bound on the training data after 500 steps with 10 latents."""
    bounds = {}
    for lr in STEP_SIZES:
        given = [*settings(dataset, 10, objective, lr), "--steps", "500"]
        run = train(f"fig2-{dataset}-{objective}-try-{lr}", given, options)
        bound = run.curve("train/elbo")[1][-1]
        bounds[lr] = bound if math.isfinite(bound) else -math.inf
    return max(bounds, key=lambda lr: bounds[lr])


def main() -> None:
    options = parser(__doc__ or "", samples=600_000).parse_args()
    steps = options.samples // 100
    data: dict[str, dict[str, object]] = {}
    rows = []
    for dataset, (_, sizes, _) in FIGURE.items():
        figure, axes = panels([f"{dataset}, {n} latents" for n in sizes], width=2.6)
        chosen = {name: step_size(dataset, o, options) for name, o in METHODS.items()}
        data[dataset] = {"step sizes": chosen}
        for n, plot in zip(sizes, axes, strict=True):
            runs = {}
            for name, objective in METHODS.items():
                given = settings(dataset, n, objective, chosen[name])
                given += ["--steps", str(steps), "--eval-every", str(max(1, steps // POINTS))]
                given += ["--eval-split", "test", "--eval-subset", "0"]
                runs[name] = train(f"fig2-{dataset}-{n}-{objective}", given, options)
            curves = {name: run.curve("test/elbo") for name, run in runs.items()}
            draw(plot, curves, x="training samples seen", y="")
            pairs = zip(*(ys for _, ys in curves.values()), strict=True)
            above = sum(a > b for a, b in pairs)
            points = len(curves["AEVB"][0])
            ends = {name: run.results["elbo"] for name, run in runs.items()}
            data[dataset][str(n)] = {
                **ends,
                "points": points,
                "AEVB above": above,
                "curves": curves,
            }
            best = max(max(ys) for _, ys in curves.values())
            worst = min(ys[len(ys) // 8] for _, ys in curves.values())
            plot.set_ylim(worst - 0.3 * (best - worst), best + 0.1 * (best - worst))
            plot.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
            figures = (f"{end:.1f}" for end in ends.values())
            rows.append([dataset, str(n), *figures, f"{above} of {points}"])
        axes[0].set_ylabel("test bound, nats per datum")
        axes[0].legend(fontsize=8)
        save(figure, options.images / f"fig2_{dataset}.png")
    print(markdown(["data", "latents", *METHODS, "points with AEVB above"], rows))
    write(options, "wake_sleep", {"samples": options.samples, "data": data})


if __name__ == "__main__":
    main()
