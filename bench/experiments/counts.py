"""Clustering single cells by their latent means: counts as counts against log1p as Gaussian.

    PYVAE_DATA_DIR=... python bench/experiments/counts.py [--epochs N] [--seeds N]

The PBMC counts (4271 cells, 2000 genes, 8 cell types), whole and thinned to a share of their
molecules as if sequenced less deeply, with the same networks and 10 latents. The encoder sees
log1p(x) whatever the likelihood; the variance is one number for all genes. k-means with as many
clusters as there are types; adjusted Rand index and normalised mutual information against the
types, mean and standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from runs import Run, parser, train, write
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run

KEPT = (1.0, 0.5, 0.25, 0.1)
LIKELIHOODS = {
    "Gaussian on log1p(x), unit variance": "log1p=true --likelihood gaussian",
    "Gaussian on log1p(x), learned variance": "log1p=true --likelihood gaussian "
    "--likelihood-args variance=learned",
    "negative binomial": "--likelihood negative_binomial",
    "zero-inflated negative binomial": "--likelihood zero_inflated_negative_binomial",
}
INDICES = {"ari": "adjusted Rand index", "nmi": "normalised mutual information"}


@torch.no_grad()
def clustering(run: Run, seed: int) -> dict[str, float]:
    """ARI and NMI of k-means on the latent means of all cells."""
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    model.eval()
    splits = [view.data.train, view.data.valid, view.data.test]
    z = torch.cat([model.encode(view.held_out_values(split.x)).mean for split in splits])
    y = torch.cat([split.y for split in splits if split.y is not None])
    found = KMeans(len(y.unique()), n_init=20, random_state=seed).fit_predict(z.numpy())
    return {
        "ari": float(adjusted_rand_score(y.numpy(), found)),
        "nmi": float(normalized_mutual_info_score(y.numpy(), found)),
    }


def main() -> None:
    options = parser(__doc__ or "", epochs=30, seeds=3).parse_args()
    shared = ["--dataset", "pbmc", "--latent-dim", "10", "--batch-size", "128"]
    shared += ["--encoder-args", "hidden=128", "--decoder-args", "hidden=128"]
    shared += ["--optimizer", "adam", "--lr", "1e-3", "--epochs", str(options.epochs)]
    shared += ["--eval-samples", "0", "--dataset-args"]
    data: dict[str, dict[str, list[dict[str, float]]]] = {}
    for i, (name, likelihood) in enumerate(LIKELIHOODS.items()):
        data[name] = {}
        for keep in KEPT:
            data[name][str(keep)] = found = []
            for seed in range(options.seeds):
                given = [*shared, f"keep={keep}", *likelihood.split(), "--seed", str(seed)]
                run = train(f"counts-{i}-{keep}-{seed}", given, options)
                found.append(clustering(run, seed))
    for index, title in INDICES.items():
        rows = [
            [name, *(_cell([found[index] for found in of_seeds]) for of_seeds in by_depth.values())]
            for name, by_depth in data.items()
        ]
        print(markdown([title, *(f"{keep:.0%} of molecules" for keep in KEPT)], rows), end="\n\n")
    write(options, "counts", {"epochs": options.epochs, "clustering": data})


def _cell(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ± {statistics.pstdev(values):.3f}"


if __name__ == "__main__":
    main()
