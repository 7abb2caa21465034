"""Loss tax: how much a whole training step takes beyond the networks alone.

    python bench/train_step.py [--seconds S] [--settings NAME ...]

tax = (step - networks alone) / networks alone. All variants train the same networks with the same
optimizer (its rate is tiny, so that the work stays the same), shuffled call by call. The networks
alone take z = mean + logvar and go backward from a fixed gradient of the logits. They also race
against themselves: the noise floor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from common import Options, Section, options, parser, report, verdict
from losses import LOSSES, Loss
from torch import Tensor, nn

from pyvae import reference
from pyvae.benchmarking import Variant, markdown, race
from pyvae.benchmarking.tables import si_seconds
from pyvae.decoders import ConvDecoder
from pyvae.encoders import ConvEncoder


@dataclass(frozen=True)
class Setting:
    """A model, a batch and the most that the loss may cost."""

    name: str
    hidden: tuple[int, ...]
    latents: int
    activation: type[nn.Module]
    batch: int
    samples: int  # 0: the ELBO
    most: dict[str, float]
    side: int = 0  # of images, for convolutions; 0: 784 numbers, for linear layers


SETTINGS = (
    Setting("784-500-20, B = 100", (500,), 20, nn.ReLU, 100, 0, {"pyvae": 0.05}),
    Setting("784-500-20, B = 1024", (500,), 20, nn.ReLU, 1024, 0, {"pyvae": 0.03}),
    Setting("IWAE k = 50, B = 100", (200, 200), 50, nn.Tanh, 100, 50, {"pyvae in place": 0.08}),
)


def mlp(sizes: list[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def networks(setting: Setting) -> tuple[nn.Module, nn.Module, int]:
    """Encoder and decoder between flat rows, and the numbers of a row of data."""
    if not setting.side:
        hidden, act = list(setting.hidden), setting.activation
        encoder = mlp([784, *hidden, 2 * setting.latents], act)
        return encoder, mlp([setting.latents, *hidden[::-1], 784], act), 784
    image, channels = (3, setting.side, setting.side), (32, 64, 128, 256)
    into = ConvEncoder(image, channels)
    encoder = nn.Sequential(
        nn.Unflatten(1, image), into, nn.Linear(into.out_features, 2 * setting.latents)
    )
    decoder = nn.Sequential(ConvDecoder(setting.latents, image, channels[::-1]), nn.Flatten())
    return encoder, decoder, 3 * setting.side**2


class Steps:
    """One model and its optimizer, and steps that differ in the loss alone."""

    def __init__(self, setting: Setting, device: str = "cpu") -> None:
        torch.manual_seed(0)
        self.setting = setting
        encoder, decoder, pixels = networks(setting)
        self.encoder, self.decoder = encoder.to(device), decoder.to(device)
        self.parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        # capturable: its count of steps lies on the device, as a graph needs it
        there = {"capturable": True, "fused": True} if device.startswith("cuda") else {}
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-9, **there)
        self.x = torch.bernoulli(torch.rand(setting.batch, pixels)).to(device)
        self.shape = (*([setting.samples] if setting.samples else []), setting.batch)
        self.incoming = (torch.randn(*self.shape, pixels) / setting.batch).to(device)

    def networks(self, _: object = None) -> None:
        """Forward, backward and the optimizer's step without a loss."""
        self.optimizer.zero_grad()
        mean, logvar = self.encoder(self.x).chunk(2, -1)
        z = (mean + logvar).expand(*self.shape, self.setting.latents)
        torch.autograd.backward([self.decoder(z)], [self.incoming])
        self.optimizer.step()

    def backward(self, loss: Loss, noise: Tensor | None = None) -> Tensor:
        """Gradients of one step, and the value of its loss."""
        self.optimizer.zero_grad()
        mean, logvar = self.encoder(self.x).chunk(2, -1)
        z, log_ratio = loss.sample(mean, logvar, self.setting.samples, noise)
        value = loss.value(self.x, self.decoder(z), mean, logvar, log_ratio)
        value.backward()
        return value.detach()

    def step(self, loss: Loss) -> Callable[[object], None]:
        def run(_: object) -> None:
            self.backward(loss)
            self.optimizer.step()

        return run

    def check(self, name: str, loss: Loss) -> None:
        """Compare loss and gradients with those of the eager loss under the same noise."""
        seed = torch.tensor(11, device=self.x.device)
        eps = reference.philox_normal(seed, (*self.shape, self.setting.latents))
        value = self.backward(loss, seed if name.startswith("pyvae") else eps)
        grads = [p.grad.clone() for p in self.parameters if p.grad is not None]
        truth = self.backward(LOSSES["eager"](bool(self.setting.samples)), eps)
        torch.testing.assert_close(value, truth, rtol=1e-5, atol=0, msg=lambda m: f"{name}: {m}")
        for grad, parameter in zip(grads, self.parameters, strict=True):
            assert parameter.grad is not None
            atol = 1e-4 * parameter.grad.abs().max().item()
            torch.testing.assert_close(grad, parameter.grad, rtol=1e-4, atol=atol)


def measure(setting: Setting, how: Options) -> dict[str, Any]:
    torch._dynamo.reset()
    steps = Steps(setting)
    alone, losses = Variant(steps.networks), dict(LOSSES)
    variants = {"networks": alone, "networks again": alone}
    for name, make in losses.items():
        if name in how.leave_out:
            continue
        loss = make(bool(setting.samples))
        steps.check(name, loss)
        variants[name] = Variant(steps.step(loss))
    times = race(variants, seconds=how.seconds * len(variants), warmup=10)
    base = times["networks"].median
    return {
        "setting": setting.name,
        "times_us": {name: t.summary() for name, t in times.items()},
        "tax": {n: t.median / base - 1 for n, t in times.items() if not n.startswith("networks")},
        "noise_floor": times["networks again"].median / base - 1,
        "images_per_s": {name: setting.batch / t.median for name, t in times.items()},
        "targets": setting.most,
    }


def run(how: Options, settings: tuple[Setting, ...] = SETTINGS) -> Section:
    data = []
    for setting in settings:
        print(f"{setting.name} ...", file=sys.stderr, flush=True)
        data.append(measure(setting, how))
    names = ("eager", "compile", "pyvae", "pyvae in place")
    rows = []
    for result in data:
        alone = result["times_us"]["networks"]["median"] / 1e6
        cells = [result["setting"], si_seconds(alone), f"{100 * result['noise_floor']:+.1f} %"]
        for name in names:
            tax, most = result["tax"].get(name), result["targets"].get(name)
            told = "-" if tax is None else f"{100 * tax:.1f} %"
            if tax is not None and most is not None:
                told += f" (<= {100 * most:.0f}: {verdict(tax <= most)})"
            cells.append(told)
        rows.append(cells)
    head = ["loss tax of a training step", "networks, us", "networks again", *names]
    return Section("steps", "Training steps", markdown(head, rows), data)


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--settings", nargs="+", metavar="TEXT", help="those whose name holds it")
    made.set_defaults(name="train_step")
    arguments = made.parse_args()
    how = options(arguments)
    wanted = arguments.settings or [""]
    chosen = tuple(s for s in SETTINGS if any(text in s.name for text in wanted))
    section = run(how, chosen)
    print(section)
    print("written:", report(arguments, how, [section]))


if __name__ == "__main__":
    main()
