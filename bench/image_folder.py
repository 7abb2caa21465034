"""Training on a folder of 10,000 PNG files, against the same images as one tensor.

    PYVAE_DATA_DIR=... python bench/image_folder.py [--epochs N]

Writes 8,035 digits of MNIST and the 1,965 faces of Frey Face as PNG files of their own sizes
(28 x 28, 28 x 20), which ``size=28`` makes alike, and the pixels that come of it as one ``.npy``
file. Trains a VAE of 20 hidden units, so that the network is not the limit, and one of 500, an
epoch of each kind by turns. Speeds are those of the fastest epoch, images a second of the wall and
of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from pyvae import VAE, data
from pyvae.benchmarking import markdown
from pyvae.data import Batches, DataSplits
from pyvae.errors import optional
from pyvae.objectives import ELBO

DIGITS, SIZE, BATCH = 8035, 28, 100


def write(folder: Path) -> None:
    """The images, in a subfolder for each source."""
    image = optional("PIL.Image", "images")
    digits, faces = data.load("mnist").train.x[:DIGITS], data.load("freyface")
    rows = torch.cat([split.x for split in faces.splits.values()])
    for name, pixels in (("digits", digits), ("faces", rows)):
        (folder / name).mkdir(parents=True)
        for number, one in enumerate(pixels[:, 0].numpy()):
            image.fromarray(one).save(folder / name / f"{number:05}.png")


class Training:
    """A model that is trained on a data set, epoch by epoch."""

    def __init__(self, splits: DataSplits, hidden: int) -> None:
        torch.manual_seed(0)
        width = {"hidden": [hidden]}
        self.model = VAE(splits.data_shape, 10, encoder_args=width, decoder_args=width)
        self.batches = Batches(splits.train, BATCH, seed=0)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.objective, self.wall, self.processor = ELBO(), [0.0], [0.0]

    def epoch(self) -> None:
        """Train for an epoch, and note the speed."""
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(self.batches.steps_per_epoch):
            batch = self.batches.next()
            loss = self.objective(self.model, data.Split(batch.x.float() / 255)).loss
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        rows = len(self.batches.split)
        self.wall.append(rows / (time.perf_counter() - wall))
        self.processor.append(rows / (time.process_time() - processor))


def main() -> None:
    """Write the folder, train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5, help="of each kind (default: 5)")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "images")
        begun = time.perf_counter()
        images = data.load(folder / "images", size=SIZE)
        seconds = time.perf_counter() - begun
        order = torch.cat(list(images.rows.values())).argsort()
        pixels = torch.cat([split.x for split in images.splits.values()])[order]
        np.save(folder / "pixels.npy", pixels.numpy())
        kinds = {
            "one tensor": data.load(folder / "pixels.npy"),
            "folder, held in memory": images,
            "folder, `streaming=true`": data.load(folder / "images", size=SIZE, streaming=True),
        }
        assert torch.equal(kinds["one tensor"].train.x, images.train.x)
        for hidden in (20, 500):
            runs = {kind: Training(splits, hidden) for kind, splits in kinds.items()}
            for _ in range(given.epochs):
                for run in runs.values():
                    run.epoch()
            for kind, run in runs.items():
                speeds = max(run.wall), max(run.processor)
                first = runs["one tensor"]
                ratios = speeds[0] / max(first.wall), speeds[1] / max(first.processor)
                figures = [f"{speeds[0]:,.0f}", f"{ratios[0]:.2f}", f"{speeds[1]:,.0f}"]
                rows.append([f"{hidden} hidden units, {kind}", *figures, f"{ratios[1]:.2f}"])
    print(f"{len(order)} images are read and decoded in {seconds:.1f} s\n")
    print(markdown(["data", "images a second", "ratio", "of processor", "ratio"], rows))


if __name__ == "__main__":
    main()
