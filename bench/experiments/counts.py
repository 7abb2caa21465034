"""Clustering single cells by their latent means: counts as counts against log1p as Gaussian.

    PYVAE_DATA_DIR=... python bench/experiments/counts.py [--epochs N] [--seeds N]

The PBMC counts (4271 cells, 2000 genes, 8 cell types), with the same networks and 10 latents. The
encoder sees log1p(x) whatever the likelihood; the variance is one number for all genes.
k-means with as many clusters as there are types; adjusted Rand index and normalised mutual
information against the types, mean and standard deviation over seeds.
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

LIKELIHOODS = {
    "Gaussian on log1p(x), unit variance": "gaussian --dataset-args log1p=true",
    "Gaussian on log1p(x), learned variance": "gaussian --likelihood-args variance=learned "
    "--dataset-args log1p=true",
    "negative binomial": "negative_binomial",
    "zero-inflated negative binomial": "zero_inflated_negative_binomial",
}


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
    options = parser(__doc__ or "", epochs=60, seeds=5).parse_args()
    shared = ["--dataset", "pbmc", "--latent-dim", "10", "--batch-size", "128"]
    shared += ["--encoder-args", "hidden=128", "--decoder-args", "hidden=128"]
    shared += ["--optimizer", "adam", "--lr", "1e-3", "--epochs", str(options.epochs)]
    shared += ["--eval-samples", "0", "--likelihood"]
    rows, data = [], {}
    for i, (name, likelihood) in enumerate(LIKELIHOODS.items()):
        data[name] = [
            clustering(
                train(
                    f"counts-{i}-{seed}",
                    [*shared, *likelihood.split(), "--seed", str(seed)],
                    options,
                ),
                seed,
            )
            for seed in range(options.seeds)
        ]
        cells = []
        for index in ("ari", "nmi"):
            values = [found[index] for found in data[name]]
            cells.append(f"{statistics.mean(values):.3f} ± {statistics.pstdev(values):.3f}")
        rows.append([name, *cells])
    print(markdown([f"{options.seeds} seeds", "ARI", "NMI"], rows))
    write(options, "counts", {"epochs": options.epochs, "clustering": data})


if __name__ == "__main__":
    main()
