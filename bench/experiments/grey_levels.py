"""Bits per dimension (of the bound) of grey MNIST under a mixture of discretized logistics.

    PYVAE_DATA_DIR=... python bench/experiments/grey_levels.py [--epochs N]

The 256 levels as they are, not binarized: one logistic for each pixel against mixtures of them.
"""

from __future__ import annotations

from runs import parser, train, write

from pyvae.benchmarking import markdown

LIKELIHOODS = {
    "1 logistic": ["discretized_logistic"],
    "mixture of 5": ["discretized_logistic_mixture", "--likelihood-args", "num_mixtures=5"],
    "mixture of 10": ["discretized_logistic_mixture", "--likelihood-args", "num_mixtures=10"],
}


def main() -> None:
    options = parser(__doc__ or "", epochs=10).parse_args()
    shared = ["--dataset", "mnist", "--latent-dim", "32", "--batch-size", "100"]
    shared += ["--encoder-args", "hidden=400,400", "--decoder-args", "hidden=400,400"]
    shared += ["--lr", "1e-3", "--epochs", str(options.epochs), "--eval-samples", "0"]
    rows, data = [], {}
    for i, (name, likelihood) in enumerate(LIKELIHOODS.items()):
        found = train(f"grey-{i}", [*shared, "--likelihood", *likelihood], options).results
        data[name] = found
        rows.append([name, f"{found['bits_per_dim']:.3f}", f"{found['kl']:.1f}"])
    print(markdown(["likelihood", "bits per dimension", "KL, nats"], rows))
    write(options, "grey_levels", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
