"""M1+M2 on MNIST with 100 labels, for several draws of labels over one trained M1.

    pyvae train --preset m1m2 --out runs/m1m2
    PYVAE_DATA_DIR=... python bench/experiments/few_labels.py --m1 runs/m1m2 [--steps N]

Kingma, Mohamed, Rezende & Welling 2014 train M1 to the end, then M2 on its codes. So does this: M1,
which sees no label, is taken from a finished run, and each draw of labels has an M2 of its own on
fresh samples of q(z_1|x). Beside it, the same classifier on the codes of the labelled digits alone.
Errors are those of all test digits, at the means of q(z_1|x). The last weights are what counts:
nothing is chosen by a test error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import torch
from runs import parser, write
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pyvae import data
from pyvae.batch import Batch
from pyvae.benchmarking import markdown
from pyvae.models.m1m2 import M1M2
from pyvae.models.m2 import M2
from pyvae.objectives import SemiSupervised

LABELLED, OTHERS = 25, 100  # rows of a minibatch


@torch.no_grad()
def codes(model: M1M2, x: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of q(z_1|x), (N, D) each."""
    q = [model.m1.encode(rows.float() / 255) for rows in x.split(1000)]
    return torch.cat([one.mean for one in q]), torch.cat([one.stddev for one in q])


def trained(loss: Callable[[], Tensor], weights: nn.Module, lr: float, steps: int) -> None:
    """By Adam, whose rate falls to 0 along a cosine."""
    optimizer = torch.optim.Adam(weights.parameters(), lr)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        rate.step()


def on_labels_alone(classifier: nn.Module, z: Callable[[Tensor], Tensor], y: Tensor) -> nn.Module:
    """Trained on the rows that have a label, for 1000 steps, at whose end nothing moves."""
    kept = (y >= 0).nonzero()[:, 0]
    trained(lambda: cross_entropy(classifier(z(kept)), y[kept]), classifier, 1e-3, 1000)
    return classifier


def on_all(m2: M2, z: Callable[[Tensor], Tensor], y: Tensor, steps: int) -> nn.Module:
    """The classifier of M2, trained on rows with a label and without."""
    objective = SemiSupervised()
    kept, others = (y >= 0).nonzero()[:, 0], (y < 0).nonzero()[:, 0]
    share = OTHERS * len(kept) / len(others)  # what the labelled count beside the others
    weight = torch.ones(LABELLED + OTHERS)
    weight[:LABELLED] = share / LABELLED

    def loss() -> Tensor:
        some = kept[torch.randperm(len(kept))[:LABELLED]]
        rows = torch.cat([some, others[torch.randint(len(others), (OTHERS,))]])
        return objective(m2, Batch(z(rows), y[rows], {"weight": weight})).loss

    trained(loss, m2, 3e-3, steps)
    return m2.classifier


def errors(model: M1M2, draw: int, steps: int) -> dict[str, float]:
    """Of both classifiers, for one draw of the labels."""
    mnist = data.load("mnist", labels_per_class=10, labels_seed=draw, labelled_share=0)
    mean, std = codes(model, mnist.train.x)
    test, _ = codes(model, mnist.test.x)
    assert mnist.train.y is not None
    y = mnist.train.y

    def z(rows: Tensor) -> Tensor:
        return mean[rows] + std[rows] * torch.randn(len(rows), mean.shape[1])

    def error(classifier: nn.Module) -> float:
        with torch.no_grad():
            return float((classifier(test).argmax(-1) != mnist.test.y).double().mean())

    torch.manual_seed(draw)
    alone = on_labels_alone(M1M2(**model.config).m2.classifier, z, y)
    both = on_all(M1M2(**model.config).m2, z, y, steps)
    return {"labels alone": error(alone), "M1+M2": error(both)}


def main() -> None:
    made = parser(__doc__ or "", steps=8000, draws=3)
    made.add_argument("--m1", type=Path, required=True, help="a run of the preset m1m2")
    options = made.parse_args()
    torch.set_num_threads(options.threads)
    model = M1M2.from_pretrained(options.m1).eval()
    found = []
    for draw in range(options.draws):
        found.append(errors(model, draw, options.steps))
        print(f"draw {draw}: {found[-1]}", flush=True)
    rows = []
    for name in found[0]:
        each = [100 * one[name] for one in found]
        rows.append([name, *(f"{error:.1f} %" for error in each), f"{fmean(each):.1f} %"])
    print(markdown(["trained on", *(f"draw {i + 1}" for i in range(options.draws)), "mean"], rows))
    write(options, "few_labels", {"steps": options.steps, "errors": found})


if __name__ == "__main__":
    main()
