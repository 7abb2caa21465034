"""Images per second of pyvae's training loop against a hand-written one, by the processor's time.

    python bench/engine_steps.py [--seconds S] [--settings TEXT ...]

Both train the same networks on MNIST with the same fused Adam, draw fresh bits from the grey levels
for each batch, and keep the mean of the loss; the hand-written loop has eager losses and no more.
pyvae runs once as it is, and once with all that takes care of a run: gradients clipped by their
norm, steps skipped that are not finite, averaged weights, a cosine schedule. Turns of ten steps
follow each other in shuffled order in one process on one thread, and what counts is the time that
the processor spent: a machine that does other things too changes little. The networks alone,
without data, noise, loss and records but with the optimizer, say what no loop can get below.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from common import Options, Section, options, parser, report, verdict
from losses import LOSSES
from torch import Tensor, nn
from train_step import mlp

from pyvae.benchmarking import Variant, markdown, race
from pyvae.config import TrainConfig
from pyvae.data import load
from pyvae.decoders import ConvDecoder
from pyvae.encoders import ConvEncoder
from pyvae.training import Trainer, build

TARGET = 1.15
STEPS = 10  # in a turn
EVERY = 100  # steps between two looks at the mean of the loss
CARE: dict[str, Any] = {
    "clip_grad_norm": 1e3,  # no gradient is that long: what is measured is the look at each of them
    "max_skipped": 5,
    "ema": 0.999,
    "lr_schedule": "cosine",
}


@dataclass(frozen=True)
class Setting:
    """A net and its batches; no hidden layers stand for convolutions."""

    name: str
    hidden: tuple[int, ...]
    latents: int
    batch: int
    samples: int = 0  # 0: the ELBO


SETTINGS = (
    Setting("784-200-20, batch 64", (200,), 20, 64),
    Setting("784-500-20, batch 64", (500,), 20, 64),
    Setting("784-500-20, batch 100", (500,), 20, 100),
    Setting("784-500-20, batch 512", (500,), 20, 512),
    Setting("784-500-500-50, batch 100", (500, 500), 50, 100),
    Setting("784-200-200-50, IWAE k = 5, batch 100", (200, 200), 50, 100, 5),
    Setting("convolutions, 20 latents, batch 100", (), 20, 100),
)

Step = Callable[[], None]


class Networks(nn.Module):
    """Encoder and decoder between flat rows, as `pyvae train` makes them."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        hidden, latents = list(setting.hidden), setting.latents
        if hidden:
            self.encoder = mlp([784, *hidden, 2 * latents], nn.ReLU)
            self.decoder = mlp([latents, *hidden[::-1], 784], nn.ReLU)
        else:
            into = ConvEncoder((1, 28, 28))
            heads = nn.Linear(into.out_features, 2 * latents)
            self.encoder = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), into, heads)
            self.decoder = nn.Sequential(ConvDecoder(latents, (1, 28, 28)), nn.Flatten(-3))


def hand_written(setting: Setting) -> Step:
    """A step of the loop that a good PyTorch user writes."""
    grey = load("mnist").train.x.flatten(1).float() / 255
    net, loss_of = Networks(setting), LOSSES["eager"](bool(setting.samples))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    rows, total, done = batches(len(grey), setting.batch), torch.zeros(()), 0

    def step() -> None:
        nonlocal done
        x = torch.bernoulli(grey[next(rows)])
        mean, logvar = net.encoder(x).chunk(2, -1)
        z, log_ratio = loss_of.sample(mean, logvar, setting.samples, None)
        loss = loss_of.value(x, net.decoder(z), mean, logvar, log_ratio)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total.add_(loss.detach())
        done += 1
        if done % EVERY == 0:
            total.item()
            total.zero_()

    return step


def networks_alone(setting: Setting) -> Step:
    """Forward, backward from a gradient that is there, and the optimizer's step."""
    net = Networks(setting)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-9, fused=True)
    shape = (*([setting.samples] if setting.samples else []), setting.batch)
    x = torch.bernoulli(torch.full((setting.batch, 784), 0.13))
    incoming = torch.randn(*shape, 784) / setting.batch

    def step() -> None:
        mean, logvar = net.encoder(x).chunk(2, -1)
        z = (mean + logvar).expand(*shape, setting.latents)
        optimizer.zero_grad()
        torch.autograd.backward([net.decoder(z)], [incoming])
        optimizer.step()

    return step


def batches(rows: int, size: int) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(rows).split(size)


def config(setting: Setting, **more: Any) -> TrainConfig:
    """The settings of `pyvae train` for the same."""
    conv = {"encoder": "conv", "decoder": "conv"}
    mlps = {
        "encoder_args": {"hidden": list(setting.hidden)},
        "decoder_args": {"hidden": list(setting.hidden[::-1])},
    }
    iwae = {"objective": "iwae", "objective_args": {"num_samples": setting.samples}}
    return TrainConfig(
        dataset="mnist",
        device="cpu",
        latent_dim=setting.latents,
        batch_size=setting.batch,
        steps=1_000_000,
        **(mlps if setting.hidden else conv),
        **(iwae if setting.samples else {}),
        **more,
    )


def ours(settings: TrainConfig) -> Step:
    """A step of pyvae's loop, with all that comes between two steps."""
    trainer = Trainer(settings, build(settings), None, quiet=True)
    trainer.parts.model.train()

    def step() -> None:
        trainer._train_step()
        trainer.ledger.guard.look()
        if trainer.state.means.count >= EVERY:
            trainer.state.means.pop()

    return step


def by_processor(variant: Variant, calls: int) -> float:
    """Seconds of the processor for a call."""
    begun = time.process_time()
    for _ in range(calls):
        variant.run(None)
    return (time.process_time() - begun) / calls


def numbers(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def turn(step: Step) -> Variant:
    return Variant(lambda _: step())


def measure(setting: Setting, seconds: float) -> dict[str, Any]:
    sides = {
        "networks": turn(networks_alone(setting)),
        "hand-written": turn(hand_written(setting)),
        "pyvae": turn(ours(config(setting))),
        "all on": turn(ours(config(setting, **CARE))),
    }
    parameters = numbers(Networks(setting))
    assert numbers(build(config(setting)).model) == parameters  # the same networks
    times = race(sides, seconds=seconds, warmup=10, calls=STEPS, timer=by_processor)
    base = times["hand-written"].median
    return {
        "setting": setting.name,
        "times_us": {name: taken.summary() for name, taken in times.items()},
        "ratio": {name: base / taken.median for name, taken in times.items()},
        "parameters": parameters,
    }


def run(how: Options, settings: tuple[Setting, ...] = SETTINGS) -> Section:
    title = "Training steps: pyvae's loop against a hand-written one"
    if "PYVAE_DATA_DIR" not in os.environ:
        reason = "skipped: set PYVAE_DATA_DIR to a folder that holds MNIST"
        return Section("engine", title, reason, {"skipped": reason})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = []
    for setting in settings:
        print(f"{setting.name} ...", file=sys.stderr, flush=True)
        data.append(measure(setting, how.seconds))
    torch.set_num_threads(threads)
    return Section("engine", title, table(data), data)


def table(data: list[dict[str, Any]]) -> str:
    rows = []
    for one in data:
        hand = one["times_us"]["hand-written"]["median"] / 1e3
        plain, care, alone = (one["ratio"][name] for name in ("pyvae", "all on", "networks"))
        told = f"{care:.2f}x (>= {TARGET}: {verdict(care >= TARGET)})"
        rows.append([one["setting"], f"{hand:.1f}", f"{plain:.2f}x", told, f"{alone:.2f}x"])
    head = ["images per second", "hand-written, ms a step", "pyvae", "with all care on"]
    return markdown([*head, "networks alone"], rows)


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--settings", nargs="+", metavar="TEXT", help="those whose name holds it")
    made.set_defaults(name="engine_steps", no_compile=True, mallopt=True)
    arguments = made.parse_args()
    how = options(arguments)
    wanted = arguments.settings or [""]
    chosen = tuple(s for s in SETTINGS if any(text in s.name for text in wanted))
    section = run(how, chosen)
    print(section)
    print("written:", report(arguments, how, [section]))


if __name__ == "__main__":
    main()
