"""VampPrior against the standard prior on static MNIST, at equal training.

    PYVAE_DATA_DIR=... python bench/experiments/vampprior.py [--epochs N]

The model of Tomczak & Welling (2018) with plain hidden layers: 300-300, 40 latents, 500
pseudo-inputs, batches of 100, Adam at 5e-4, linear warm-up of the KL over a third of the training.
"""

from __future__ import annotations

from runs import parser, train, write

from pyvae.benchmarking import markdown

PRIORS = {
    "standard normal": "standard_normal",
    "mixture of 500 Gaussians": "mixture_of_gaussians --prior-args components=500",
    "VampPrior, 500 pseudo-inputs": "vampprior --prior-args components=500",
}


def main() -> None:
    options = parser(__doc__ or "", epochs=16, seeds=1).parse_args()
    shared = ["--dataset", "binarized_mnist", "--latent-dim", "40", "--batch-size", "100"]
    shared += ["--encoder-args", "hidden=300,300", "--decoder-args", "hidden=300,300"]
    shared += ["--optimizer", "adam", "--lr", "5e-4", "--epochs", str(options.epochs)]
    shared += ["--objective-args", "estimator=sampled", f"warm_up_epochs={options.epochs // 3}"]
    shared += ["--eval-samples", "50"]
    rows, data = [], {}
    for prior, words in PRIORS.items():
        arguments = ["--prior", *words.split()]
        label = "vampprior-" + arguments[1]
        found = [
            train(f"{label}-{seed}", [*shared, *arguments, "--seed", str(seed)], options).results
            for seed in range(options.seeds)
        ]
        data[prior] = found
        mean = {
            name: sum(f[name] for f in found) / len(found)
            for name in ("log_likelihood", "elbo", "kl", "active_units")
        }
        rows.append([prior, *(f"{value:.2f}" for value in mean.values())])
    print(markdown(["prior", "log p(x)", "ELBO", "KL", "active units"], rows))
    write(options, "vampprior", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
