"""Posteriors at one generative model: how much of log p(x) - ELBO each family closes.

    PYVAE_DATA_DIR=... python bench/experiments/inference_gap.py [--epochs N]

The diagonal model of ``compare.py posteriors`` is trained first. Then its p(z) p(x|z) stays fixed,
so that log p(x) is one number for all, and its recognition network goes on under the ELBO, with the
same diagonal Gaussian, or with what makes a richer family of it: a direction u (small at the
start) or an inverse autoregressive flow behind it.
"""

from __future__ import annotations

import argparse
import copy
from typing import Any

import torch
from compare import COMPARISONS
from runs import parser, train, write
from torch import nn

from pyvae import registry
from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run
from pyvae.data import Batches, View
from pyvae.models.base import Model
from pyvae.objectives import ELBO
from pyvae.training import evaluate_split

FAMILIES = ("diagonal_gaussian", "rank1_gaussian", "iaf")


def with_posterior(model: Any, name: str) -> Any:
    """The model with a posterior of another family that starts at its diagonal one, or near it."""
    model = copy.deepcopy(model)
    old = model.posterior
    new = registry.posteriors.create(name, in_features=old.in_features, latent_dim=old.latent_dim)
    d = old.latent_dim
    with torch.no_grad():
        for theirs, ours in (
            (new.linear.weight, old.linear.weight),
            (new.linear.bias, old.linear.bias),
        ):
            theirs[:d] = ours[:d]
            theirs[d : 2 * d] = -ours[d:] if name == "rank1_gaussian" else ours[d:]
            theirs[2 * d :] *= 0.1
        for layer in (m for m in new.modules() if isinstance(m, nn.Linear) and m is not new.linear):
            layer.weight.mul_(0.1), layer.bias.mul_(0.1)  # a flow that does little
    model.posterior = new
    return model


def go_on(model: Model, view: View, epochs: int) -> None:
    """Train q(z|x) alone."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.recognition_parameters(), lr=5e-4)
    objective, batches = ELBO(), Batches(view.data.train, 100, seed=0)
    generator = torch.Generator().manual_seed(0)
    model.train()
    steps = epochs * batches.steps_per_epoch
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-4 * (1 - step / steps)
        optimizer.zero_grad()
        objective(model, view.train_values(batches.next().x, generator)).loss.backward()
        optimizer.step()


def main() -> None:
    options = parser(__doc__ or "", epochs=5).parse_args()
    torch.set_num_threads(options.threads)
    comparison = COMPARISONS["posteriors"]
    given = [*comparison.shared, *comparison.systems["diagonal"]]
    run = train(
        "posteriors-0-0", [*given, "--epochs", str(comparison.epochs), "--seed", "0"], options
    )
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    rows, data = [], {}
    for name in ("start", *FAMILIES):
        one = model if name == "start" else with_posterior(model, name)
        if name != "start":
            go_on(one, view, options.epochs)
        found = evaluate_split(one, view, view.data.test, num_samples=200)
        data[name] = found.to_dict()
        assert found.log_likelihood is not None
        gap = found.log_likelihood - found.elbo
        figures = (found.elbo, found.kl, found.log_likelihood, gap)
        rows.append([name.replace("_", " "), *(f"{value:.2f}" for value in figures)])
        print(rows[-1], flush=True)
    print(markdown(["posterior", "ELBO", "KL", "log p(x), 200 samples", "gap"], rows))
    write(options, "inference_gap", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
