"""Denoising autoencoders against a plain one: how well corrupted digits are restored.

    PYVAE_DATA_DIR=... python bench/experiments/denoising.py [--epochs N]

Grey MNIST, 500-500 hidden units each side and a code of 32 numbers; Gaussian, masking and
salt-and-pepper noise (Vincent et al. 2010). For each a model trained on corrupted digits, and one
plain autoencoder for all: the mean squared error per pixel between the clean test digits and what
a model makes of corrupted ones. The noise of the figure and of the errors is that of one seed.
"""

from __future__ import annotations

import argparse

import torch
from figures import labelled_rows
from runs import Run, parser, train, write
from torch import Tensor

from pyvae.benchmarking import markdown
from pyvae.cli.run_arguments import open_run
from pyvae.models.base import Model
from pyvae.objectives.denoising import corrupted

NOISE = {"gaussian": 0.5, "masking": 0.5, "salt_and_pepper": 0.3}
SHOWN = 12


def opened(run: Run) -> tuple[Model, Tensor]:
    """A run's model, and the clean test digits."""
    nowhere = argparse.Namespace(run=run.folder, dataset=None, data_dir=None, device="cpu")
    _, model, view = open_run(nowhere)
    return model.eval(), view.held_out_values(view.data.test.x)


def error(y: Tensor, x: Tensor) -> float:
    """Mean squared error per pixel."""
    return float((y - x).square().mean())


def main() -> None:
    options = parser(__doc__ or "", epochs=10).parse_args()
    shared = ["--dataset", "mnist", "--binarize", "none", "--latent-dim", "32"]
    shared += ["--encoder-args", "hidden=500,500", "--decoder-args", "hidden=500,500"]
    shared += ["--epochs", str(options.epochs), "--lr", "1e-3", "--eval-samples", "0"]
    plain, x = opened(train("denoising-plain", [*shared, "--objective", "autoencoder"], options))
    rows, data, drawn = [], {}, [[("clean digits", x[:SHOWN])]]
    for noise, level in NOISE.items():
        given = ["--objective", "denoising", "--objective-args"]
        given += [f"corruption={noise}", f"level={level}"]
        model, _ = opened(train(f"denoising-{noise}", [*shared, *given], options))
        torch.manual_seed(0)
        noisy = corrupted(x, noise, level)
        restored = {"denoising": model.reconstruct(noisy), "plain": plain.reconstruct(noisy)}
        errors = {name: error(y, x) for name, y in restored.items()}
        errors["corrupted"] = error(noisy, x)
        errors["denoising, clean input"] = error(model.reconstruct(x), x)
        data[noise] = {"level": level, **errors}
        figures = (errors[name] for name in ("corrupted", "plain", "denoising"))
        said = noise.replace("_", " ").replace("gaussian", "Gaussian")
        rows.append([f"{said}, {level}", *(f"{e:.4f}" for e in figures)])
        drawn.append(
            [
                (f"{said} noise", noisy[:SHOWN]),
                ("by the plain autoencoder", restored["plain"][:SHOWN]),
                ("by the denoising autoencoder", restored["denoising"][:SHOWN]),
            ]
        )
    clean = error(plain.reconstruct(x), x)
    titles = ["noise", "corrupted digits", "plain autoencoder", "denoising autoencoder"]
    print(markdown(titles, rows))
    print(f"plain autoencoder, clean digits: {clean:.4f}")
    labelled_rows(options.images / "denoising.png", drawn)
    content = {"epochs": options.epochs, "squared_error": data, "plain, clean input": clean}
    write(options, "denoising", content)


if __name__ == "__main__":
    main()
