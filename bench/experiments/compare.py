"""Named systems at equal training: figures of the test split, side by side.

    PYVAE_DATA_DIR=... python bench/experiments/compare.py {iwae,posteriors,beta,tc} ...

iwae: importance-weighted bounds against the VAE (Burda et al. 2016, Table 1, short training).
posteriors: rank-1 and flows against the diagonal (Rezende et al. 2014; Kingma et al. 2016).
beta: rate and distortion as beta rises (Higgins et al. 2017).
tc: total correlation as its weight rises (Chen et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runs import parser, train, write

from pyvae.benchmarking import markdown


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        shared: arguments of every run
        systems: further arguments by name
        figures: keys of ``results.json``, in the order of the table
        epochs: unless ``--epochs`` says otherwise
    """

    shared: Sequence[str]
    systems: dict[str, Sequence[str]]
    figures: Sequence[str]
    epochs: int


def _words(text: str) -> list[str]:
    return text.split()


_BURDA = _words(  # the first three of the eight stages of the paper's training: 1 + 3 + 9 epochs
    "--dataset mnist --latent-dim 50 --batch-size 20 --init glorot --init-output --optimizer adam "
    "--lr 1e-3 --optimizer-args eps=1e-4 --lr-milestones 1 4 --lr-gamma 0.71969 "
    "--eval-samples 1000 --encoder-args hidden=200,200 activation=tanh "
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
        epochs=13,
    ),
    "posteriors": Comparison(
        [*_STATIC, *_HIDDEN, *_words("--latent-dim 32 --eval-samples 500")],
        {
            "diagonal": _words("--posterior diagonal_gaussian"),
            "rank-1": _words("--posterior rank1_gaussian"),
            "inverse autoregressive flow": _words("--posterior iaf"),
        },
        ("log_likelihood", "elbo", "kl", "active_units"),
        epochs=15,
    ),
    "beta": Comparison(
        [*_STATIC, *_HIDDEN, *_words("--latent-dim 20 --eval-samples 0")],
        {f"beta = {b}": _words(f"--objective-args beta={b}") for b in (0.25, 0.5, 1, 2, 4, 8)},
        ("rate", "distortion", "active_units"),
        epochs=8,
    ),
    "tc": Comparison(
        [*_STATIC, *_HIDDEN, *_words("--latent-dim 10 --eval-samples 0 --objective tc_vae")],
        {f"weight {b}": _words(f"--objective-args beta={b}") for b in (1, 2, 4, 8)},
        ("total_correlation", "mutual_information", "rate", "distortion"),
        epochs=8,
    ),
}


def main() -> None:
    made = parser(__doc__ or "", epochs=0, seeds=1)
    made.add_argument("names", nargs="+", choices=COMPARISONS)
    options = made.parse_args()
    for name in options.names:
        comparison = COMPARISONS[name]
        epochs = options.epochs or comparison.epochs
        rows, data = [], {}
        for i, (system, arguments) in enumerate(comparison.systems.items()):
            found = []
            for seed in range(options.seeds):
                more = ["--epochs", str(epochs), "--seed", str(seed)]
                run = train(f"{name}-{i}-{seed}", [*comparison.shared, *arguments, *more], options)
                found.append(run.results)
            data[system] = found
            means = [sum(f[key] for f in found) / len(found) for key in comparison.figures]
            rows.append([system, *(f"{value:.3f}" for value in means)])
        titles = [key.replace("_", " ") for key in comparison.figures]
        print(markdown([f"{name}, {epochs} epochs", *titles], rows))
        write(options, name, {"epochs": epochs, "runs": data})


if __name__ == "__main__":
    main()
