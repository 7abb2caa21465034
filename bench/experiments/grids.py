"""Signals, volumes and colour images, and latents that lie on a grid.

    PYVAE_DATA_DIR=... python bench/experiments/grids.py [--only signals volumes]

- signals: an electrocardiogram (``scipy.datasets``, 360 Hz) in pieces of 256 values; the last of
  its five minutes is for testing
- volumes: digits of MNIST as plates in 16 x 16 x 16 voxels, turned by up to 45 degrees
- faces: Frey Face, a random tenth for testing
- photographs: crops of 64 x 64 from the two photographs that come with scikit-learn; training
  crops lie left of three quarters of the width, test crops right of it

Each gives the root mean squared error of test data through the means of q(z|x) and of p(x|z),
beside principal components and, for images, bicubic enlargement, each of as many numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from figures import labelled_rows, panels, save
from runs import parser, write
from scipy.datasets import electrocardiogram
from sklearn.datasets import load_sample_images
from torch import Tensor

import pyvae
from pyvae import data, plots
from pyvae.analysis import decode, encode, root_mean_square
from pyvae.benchmarking import markdown

TESTED, SHOWN = 500, 8
BOTH = {"likelihood": "gaussian", "likelihood_args": {"variance": "optimal"}}


@dataclass(frozen=True)
class Setting:
    """A model for one of the data sets: its networks, its latents, how long it trains."""

    data: str
    network: str
    channels: tuple[int, ...]
    latents: tuple[int, ...]  # a number, or (channels, *grid)
    steps: int
    batch_size: int = 50

    def model(self, shape: tuple[int, ...]) -> pyvae.VAE:
        on_grid = {"latent_shape": self.latents} if len(self.latents) > 1 else {}
        return pyvae.VAE(
            shape,
            math.prod(self.latents),
            self.network,
            self.network,
            encoder_args={"channels": list(self.channels)},
            decoder_args={"channels": list(self.channels[::-1])},
            **BOTH,
            **on_grid,
        )


SETTINGS = {
    "signals": Setting("signals", "conv", (16, 32, 32), (16,), 4000),
    "volumes": Setting("volumes", "conv", (8, 16), (16,), 1500),
    "faces, spatial": Setting("faces", "resnet", (32, 32), (4, 7, 5), 1200),
    "photographs, spatial": Setting("photographs", "resnet", (16, 32), (3, 16, 16), 2000, 4),
}


def signals(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pieces of 256 values (N, 1, 256)."""
    heart = torch.from_numpy(electrocardiogram()).float()
    held = len(heart) // 5
    train = heart[:-held].unfold(0, 256, 12).unsqueeze(1)
    test = heart[-held:].unfold(0, 256, 40).unsqueeze(1)
    return train, test[torch.randperm(len(test), generator=generator)[:TESTED]]


def volumes(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Digits as plates of four voxels (N, 1, 16, 16, 16), turned about the upright axis."""
    mnist = data.load("mnist")

    def plates(x: Tensor) -> Tensor:
        digits = F.interpolate(x.float() / 255, size=(16, 16), mode="area")
        solid = torch.zeros(len(x), 1, 16, 16, 16)
        solid[:, :, 6:10] = digits.unsqueeze(2)
        angle = (torch.rand(len(x), generator=generator) - 0.5) * math.pi / 2
        turn = torch.zeros(len(x), 3, 4)  # of x and z, the first and the last coordinate
        turn[:, 0, 0] = turn[:, 2, 2] = angle.cos()
        turn[:, 0, 2], turn[:, 2, 0] = angle.sin(), -angle.sin()
        turn[:, 1, 1] = 1
        where = F.affine_grid(turn, list(solid.shape), align_corners=False)
        return F.grid_sample(solid, where, align_corners=False)

    return plates(mnist.train.x[:10_000]), plates(mnist.test.x[:TESTED])


def faces(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frey Face (N, 1, 28, 20)."""
    found = data.load("freyface")
    train = torch.cat([found.train.x, found.valid.x])
    return train.float() / 255, found.test.x.float() / 255


def photographs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops (N, 3, 64, 64)."""
    whole = torch.from_numpy(np.stack(load_sample_images().images))
    whole = whole.permute(0, 3, 1, 2).float() / 255
    border = whole.shape[-1] * 3 // 4

    def crops(part: Tensor, count: int) -> Tensor:
        found = []
        for _ in range(count):
            which = int(torch.randint(len(part), (), generator=generator))
            top = int(torch.randint(part.shape[-2] - 63, (), generator=generator))
            left = int(torch.randint(part.shape[-1] - 63, (), generator=generator))
            found.append(part[which, :, top : top + 64, left : left + 64])
        return torch.stack(found)

    return crops(whole[..., :border], 4000), crops(whole[..., border:], TESTED)


DATA: dict[str, Callable[[torch.Generator], tuple[Tensor, Tensor]]] = {
    "signals": signals,
    "volumes": volumes,
    "faces": faces,
    "photographs": photographs,
}


def components(train: Tensor, test: Tensor, number: int) -> Tensor:
    """Test data from so many principal components of the training data."""
    mean = train.flatten(1).mean(0)
    axes = torch.linalg.svd(train[:2000].flatten(1) - mean, full_matrices=False).Vh[:number]
    return (mean + (test.flatten(1) - mean) @ axes.T @ axes).reshape(test.shape)


def enlarged(x: Tensor, numbers: int) -> Tensor:
    """Images brought to so many numbers by area, and enlarged again."""
    scale = math.sqrt(numbers / math.prod(x.shape[1:]))
    small = [round(n * scale) for n in x.shape[2:]]
    less = F.interpolate(x, size=small, mode="area")
    more = F.interpolate(less, size=x.shape[2:], mode="bicubic", align_corners=False)
    return more.clamp(0, 1)


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--only", nargs="+", choices=tuple(SETTINGS), default=list(SETTINGS))
    options = made.parse_args()
    torch.set_num_threads(options.threads)
    rows, back = [], {}
    for name, setting in SETTINGS.items():
        if name not in options.only:
            continue
        generator = torch.Generator().manual_seed(0)
        train, test = DATA[setting.data](generator)
        torch.manual_seed(0)
        model = setting.model(tuple(train.shape[1:]))
        history = pyvae.fit(
            model,
            train,
            steps=setting.steps,
            batch_size=setting.batch_size,
            lr=2e-3,
            lr_schedule="cosine",
            valid=0,
            progress=False,
            eval_samples=0,
        )
        found = {"model": decode(model, encode(model, test))}
        numbers = math.prod(setting.latents)
        found["components"] = components(train, test, numbers)
        if setting.data in ("faces", "photographs"):
            found["bicubic"] = enlarged(test, numbers)
        errors = {one: root_mean_square(x, test) for one, x in found.items()}
        rows.append({"name": name, "numbers": numbers, **errors})
        rows[-1]["mean"] = root_mean_square(train.mean(0).expand_as(test), test)
        rows[-1]["seconds"] = history.rows[-1]["seconds"]
        back[name] = {"data": test, **found}
        print(rows[-1], flush=True)
    write(options, "grids", rows)
    errors = ("model", "components", "bicubic", "mean")
    table = [
        [row["name"], str(row["numbers"]), *map(rounded, map(row.get, errors))] for row in rows
    ]
    print(markdown(("data", "numbers", *errors), table))
    for name, found in back.items():
        draw(options.images, name, found)


def rounded(error: float | None) -> str:
    """An error in a table."""
    return "" if error is None else f"{error:.3f}"


def draw(folder, name: str, found: dict[str, Tensor]) -> None:
    """The first test data, and what came back."""
    shown = {one: x[:SHOWN] for one, x in found.items()}
    path = folder / f"{name.replace(', ', '_')}.png"
    if name == "signals":
        figure, axes = panels([""] * 4, width=2.4, height=2.0)
        for i, one in enumerate(axes):
            one.plot(shown["data"][i, 0], linewidth=1.0, color="0.5", label="data")
            one.plot(shown["model"][i, 0], linewidth=1.2, label="model")
        axes[0].legend(fontsize=7)
        save(figure, path)
    elif name == "volumes":
        front, above = ({n: x.sum(d) / 4 for n, x in shown.items()} for d in (2, 3))
        pairs = [
            [("from the front", front[n]), ("from above", above[n])] for n in ("data", "model")
        ]
        labelled_rows(path, pairs, zoom=3)
    elif name == "faces, spatial":
        labelled_rows(path, [[(n, shown[n]) for n in ("data", "bicubic", "model")]])
    else:
        sheet = torch.cat([shown[n] for n in ("data", "bicubic", "model")])
        plots.save_image(path, plots.image_grid(sheet, columns=SHOWN))


if __name__ == "__main__":
    main()
