"""Named systems at equal training: figures of the test split, side by side.

    PYVAE_DATA_DIR=... python bench/experiments/compare.py {iwae,posteriors,beta,tc} ...

iwae: importance-weighted bounds against the VAE (Burda et al. 2016, Table 1, short training).
posteriors: rank-1 and flows against the diagonal (Rezende et al. 2014; Kingma et al. 2016).
beta: rate and distortion as beta rises (Higgins et al. 2017).
tc: total correlation as its weight rises (Chen et al. 2018).
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from figures import draw, panels, save
from runs import Run, parser, train, write

from pyvae.benchmarking import markdown


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        shared: arguments of every run
        systems: further arguments by name
        figures: keys of ``results.json``, in the order of the table
        epochs: unless ``--epochs`` says otherwise
        drawn: two figures against each other, or "samples" seen and a column of the log
    """

    shared: Sequence[str]
    systems: dict[str, Sequence[str]]
    figures: Sequence[str]
    epochs: int
    drawn: tuple[str, str]


def _words(text: str) -> list[str]:
    return text.split()


_BURDA = _words(  # the first two of the eight stages of the paper's training: 1 + 3 epochs
    "--dataset mnist --latent-dim 50 --batch-size 20 --init glorot --init-output --optimizer adam "
    "--lr 1e-3 --optimizer-args eps=1e-4 --lr-milestones 1 --lr-gamma 0.71969 "
    "--eval-samples 200 --encoder-args hidden=200,200 activation=tanh "
    "--decoder-args hidden=200,200 activation=tanh"
)
_STATIC = _words("--dataset binarized_mnist --batch-size 100 --optimizer adam --lr 1e-3")
_HIDDEN = _words("--encoder-args hidden=300,300 --decoder-args hidden=300,300")

COMPARISONS = {
    "iwae": Comparison(
        _BURDA,
        {
            "VAE": _words("--objective elbo"),
            "IWAE, k = 5": _words("--objective iwae --objective-args num_samples=5"),
            "IWAE, k = 50": _words("--objective iwae --objective-args num_samples=50"),
        },
        ("log_likelihood", "elbo", "active_units"),
        epochs=4,
        drawn=("samples", "train/bound"),
    ),
    "posteriors": Comparison(
        [
            *_STATIC,
            *_HIDDEN,
            *_words("--latent-dim 32 --objective-args warm_up_epochs=5 --eval-samples 500"),
            *_words("--lr-milestones 12 16 18 --lr-gamma 0.3"),
        ],
        {
            "diagonal": _words("--posterior diagonal_gaussian"),
            "rank-1": _words("--posterior rank1_gaussian"),
            "inverse autoregressive flow": _words("--posterior iaf"),
        },
        ("log_likelihood", "elbo", "kl", "active_units"),
        epochs=20,
        drawn=("samples", "valid/elbo"),
    ),
    "beta": Comparison(
        [*_STATIC, *_HIDDEN, *_words("--latent-dim 20 --eval-samples 0")],
        {f"beta = {b}": _words(f"--objective-args beta={b}") for b in (0.25, 0.5, 1, 2, 4, 8)},
        ("rate", "distortion", "active_units"),
        epochs=4,
        drawn=("rate", "distortion"),
    ),
    "tc": Comparison(
        [*_STATIC, *_HIDDEN, *_words("--latent-dim 10 --eval-samples 0 --objective tc_vae")],
        {f"weight {b}": _words(f"--objective-args beta={b}") for b in (1, 2, 4, 8)},
        ("total_correlation", "mutual_information", "rate", "distortion"),
        epochs=4,
        drawn=("total_correlation", "distortion"),
    ),
}


def figure(name: str, runs: dict[str, list[Run]], options: argparse.Namespace) -> None:
    """Curves along training, or the systems as points on a curve."""
    x, y = COMPARISONS[name].drawn
    made, (plot,) = panels([""], width=5, height=3.2)
    if x == "samples":
        curves = {}
        for system, of_seeds in runs.items():
            run = of_seeds[0]
            column = y if run.curve(y)[0] else "train/elbo"  # of one sample, the same bound
            curves[system] = run.curve(column)
        draw(plot, curves, x="training samples seen", y=f"{y.replace('/', ' ')}, nats")
        ends = [ys[-1] for _, ys in curves.values()]
        plot.set_ylim(min(ends) - 40, max(ends) + 5)
        plot.legend(fontsize=8)
    else:
        xs, ys = ([mean(of_seeds, key) for of_seeds in runs.values()] for key in (x, y))
        plot.plot(xs, ys, marker="o")
        plot.margins(0.18, 0.12)
        for system, *at in zip(runs, xs, ys, strict=True):
            plot.annotate(system, at, xytext=(5, 4), textcoords="offset points", fontsize=8)
        plot.set_xlabel(f"{x.replace('_', ' ')}, nats"), plot.set_ylabel(f"{y}, nats")
    save(made, options.images / f"compare_{name}.png")


def mean(runs: Sequence[Run], key: str) -> float:
    """A figure's mean over the seeds; NaN where it is none, as active units of a flow."""
    found = [run.results[key] for run in runs]
    return math.nan if None in found else statistics.mean(found)


def main() -> None:
    made = parser(__doc__ or "", epochs=0, seeds=1)
    made.add_argument("names", nargs="+", choices=COMPARISONS)
    options = made.parse_args()
    for name in options.names:
        comparison = COMPARISONS[name]
        epochs = options.epochs or comparison.epochs
        rows, data, runs = [], {}, {}
        for i, (system, arguments) in enumerate(comparison.systems.items()):
            runs[system] = found = []
            for seed in range(options.seeds):
                more = ["--epochs", str(epochs), "--seed", str(seed)]
                given = [*comparison.shared, *arguments, *more]
                found.append(train(f"{name}-{i}-{seed}", given, options))
            data[system] = [run.results for run in found]
            rows.append(
                [
                    system,
                    *(f"{mean(found, key):.3f}".replace("nan", "-") for key in comparison.figures),
                ]
            )
        titles = [key.replace("_", " ") for key in comparison.figures]
        print(markdown([f"{name}, {epochs} epochs", *titles], rows))
        figure(name, runs, options)
        write(options, f"compare_{name}", {"epochs": epochs, "runs": data})


if __name__ == "__main__":
    main()
