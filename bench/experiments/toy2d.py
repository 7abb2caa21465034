"""Densities of the plane: data, prior, posterior and samples as they are, in one figure.

    python bench/experiments/toy2d.py [--epochs N] [names ...]

Two latents, so that nothing has to be projected: the rows show test data, draws from p(x|z) at
z ~ p(z), the log-density of the prior with the aggregated posterior, and the posteriors of a few
data as ellipses in the same colours. log p(x) by 500 importance samples, beside that of one
Gaussian fitted to the data.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from figures import save
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from runs import Run, parser, train, write
from torch import Tensor

from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run
from pyvae.data.sets.toy2d import DENSITIES

FEW = 40  # posteriors that are drawn
DOTS: dict[str, Any] = {"s": 2, "linewidths": 0, "alpha": 0.6}


def fitted_gaussian(train_x: Tensor, test_x: Tensor) -> float:
    """Mean log-density of the test data under the Gaussian of the training data's moments."""
    gaussian = torch.distributions.MultivariateNormal(train_x.mean(0), torch.cov(train_x.T))
    return float(gaussian.log_prob(test_x).mean())


@torch.no_grad()
def column(axes: Any, run: Run) -> tuple[Tensor, Tensor]:
    """Draw one density from top to bottom; returns its training and test data."""
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    model.eval()
    torch.manual_seed(0)
    x = view.data.test.x
    angle = torch.atan2(x[:, 1], x[:, 0])  # the colour of a datum
    q = model.encode(x)
    z = q.sample()
    dots = {**DOTS, "c": angle, "cmap": "twilight"}
    axes[0].scatter(*x.T, **dots)
    drawn = model.sample(len(x), mean=False)
    axes[1].scatter(*drawn.T, c="black", **DOTS)
    side = torch.linspace(-3.5, 3.5, 150)
    plane = torch.cartesian_prod(side, side)
    density = model.prior().log_prob(plane).exp().view(150, 150).T
    axes[2].contour(side, side, density, levels=6, linewidths=0.7, cmap="Greys")
    axes[2].scatter(*z.T, **dots)
    colours = axes[0].collections[0].to_rgba(angle)
    for i in range(FEW):
        two_std = 4 * q.stddev[i]  # the width of two standard deviations either side
        shape = Ellipse(q.mean[i].tolist(), *two_std.tolist(), fill=False, edgecolor=colours[i])
        axes[3].add_patch(shape)
    lines = {"levels": 6, "linewidths": 0.3, "cmap": "Greys"}
    axes[3].contour(side, side, density, **lines)
    limits = (float(x.min()) - 0.5, float(x.max()) + 0.5)
    for one in axes:
        one.set_aspect("equal")
        one.tick_params(labelsize=7)
    for one in axes[:2]:
        one.set_xlim(limits), one.set_ylim(limits)
    for one in axes[2:]:
        one.set_xlim(-3.5, 3.5), one.set_ylim(-3.5, 3.5)
    return view.data.train.x, x


def main() -> None:
    made = parser(__doc__ or "", epochs=100)
    made.add_argument("names", nargs="*", default=list(DENSITIES))
    options = made.parse_args()
    figure = Figure(figsize=(2.3 * len(options.names), 9), layout="constrained")
    axes = figure.subplots(4, len(options.names), squeeze=False)
    rows, data = [], {}
    for i, name in enumerate(options.names):
        given = ["--dataset", "toy2d", "--dataset-args", f"name={name}", "--latent-dim", "2"]
        given += ["--likelihood", "gaussian", "--likelihood-args", "variance=learned", "sigma=0.5"]
        given += ["--encoder-args", "hidden=128,128", "--decoder-args", "hidden=128,128"]
        given += ["--epochs", str(options.epochs), "--lr", "1e-3", "--eval-samples", "500"]
        run = train(f"toy2d-{name}", given, options)
        plain = fitted_gaussian(*column(axes[:, i], run))
        axes[0, i].set_title(name.replace("_", " "), fontsize=10)
        found = run.results
        data[name] = {"gaussian": plain, **found}
        figures = (plain, found["log_likelihood"], found["elbo"], found["rate"])
        rows.append([name.replace("_", " "), *(f"{value:.2f}" for value in figures)])
    labels = ("test data", "draws of the model", "prior, aggregated q(z)", "posteriors q(z|x)")
    for one, label in zip(axes[:, 0], labels, strict=True):
        one.set_ylabel(label, fontsize=9)
    save(figure, options.images / "toy2d.png", dpi=80)
    print(markdown(["density", "a Gaussian", "log p(x)", "ELBO", "KL"], rows))
    write(options, "toy2d", {"epochs": options.epochs, "runs": data})


if __name__ == "__main__":
    main()
