"""Pixels that were not observed: MIWAE against the mean, and against a VAE that sees zeros.

    PYVAE_DATA_DIR=... python bench/experiments/missing.py [--epochs N]

Binary MNIST, of which half of the pixels are missing at random, in training too (Mattei & Frellsen
2019); 10,000 training digits, 200-200 hidden units each side, 20 latents. Every model sees the
same pixels. Errors are those of the missing pixels of 1,000 test digits: the root mean square of
pixel minus probability, the share of pixels on the wrong side of 1/2, and nats per pixel. The
random numbers are those of one seed.
"""

from __future__ import annotations

import torch
from figures import labelled_rows
from runs import parser, write
from torch import Tensor

from pyvae import VAE, data
from pyvae.batch import Batch
from pyvae.benchmarking import markdown
from pyvae.models import Model, impute
from pyvae.objectives import ELBO, IWAE, Objective

TRAINED, TESTED, SHOWN, SAMPLES = 10_000, 1000, 12, 100


def digits(seed: int) -> tuple[Batch, Batch, Tensor]:
    """Training and test digits with a mask, 0 where nothing was observed; and the whole test."""
    generator = torch.Generator().manual_seed(seed)
    mnist, found = data.load("mnist"), []
    for x in (mnist.train.x[:TRAINED], mnist.test.x[:TESTED]):
        bits = torch.bernoulli(x.float() / 255, generator=generator)
        mask = torch.rand(bits.shape, generator=generator) < 0.5
        found.append((bits, mask))
    (train, seen), (test, seen_test) = found
    hidden = [Batch(x * m, extras={"mask": m}) for x, m in ((train, seen), (test, seen_test))]
    return hidden[0], hidden[1], test


def trained(objective: Objective, train: Batch, *, masked: bool, epochs: int) -> VAE:
    """A model in evaluation mode."""
    torch.manual_seed(0)
    hidden = {"hidden": [200, 200], "activation": "tanh"}
    model = VAE((1, 28, 28), 20, encoder_args=hidden, decoder_args=hidden, masked=masked)
    mean = (train.x.sum(0) / train.extras["mask"].sum(0)).clamp(1e-3, 1 - 1e-3)
    model.init_output(mean)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    batches = data.Batches(train if masked else Batch(train.x), batch_size=100, seed=0)
    for _ in range(epochs * batches.steps_per_epoch):
        loss = objective(model, batches.next()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def filled(model: Model, test: Batch) -> Tensor:
    """The conditional means of the pixels that are missing."""
    return impute(model, test.x, test.extras["mask"], SAMPLES)


def errors(probabilities: Tensor, whole: Tensor, mask: Tensor) -> dict[str, float]:
    """Of the missing pixels."""
    p, x = probabilities[~mask].double().clamp(1e-4, 1 - 1e-4), whole[~mask].double()
    return {
        "rmse": float((p - x).square().mean().sqrt()),
        "wrong": float(((p > 0.5) != (x > 0.5)).double().mean()),
        "nats": float(-(x * p.log() + (1 - x) * (1 - p).log()).mean()),
    }


def main() -> None:
    options = parser(__doc__ or "", epochs=12).parse_args()
    torch.set_num_threads(options.threads)
    train, test, whole = digits(seed=0)
    mask = test.extras["mask"]
    mean = (train.x.sum(0) / train.extras["mask"].sum(0)).expand_as(whole)
    zeros = trained(ELBO(), train, masked=False, epochs=options.epochs)
    plain = trained(ELBO(), train, masked=True, epochs=options.epochs)
    tight = trained(IWAE(num_samples=5), train, masked=True, epochs=options.epochs)
    found = {
        "mean of each pixel": mean,
        "VAE that sees zeros": zeros.reconstruct(test.x),
        "masked VAE": filled(plain, test),
        "MIWAE": filled(tight, test),
    }
    result = {name: errors(p, whole, mask) for name, p in found.items()}
    titles = ["imputed by", "root mean square error", "wrong pixels", "nats per pixel"]
    rows = [
        [name, f"{e['rmse']:.3f}", f"{100 * e['wrong']:.1f} %", f"{e['nats']:.3f}"]
        for name, e in result.items()
    ]
    print(markdown(titles, rows))
    grey = torch.where(mask, whole, 0.5)[:SHOWN]
    shown = [("observed", grey)]
    shown += [(name, torch.where(mask, whole, p)[:SHOWN]) for name, p in found.items()]
    labelled_rows(options.images / "missing.png", [shown, [("whole digits", whole[:SHOWN])]])
    write(options, "missing", {"epochs": options.epochs, "imputation": result})


if __name__ == "__main__":
    main()
