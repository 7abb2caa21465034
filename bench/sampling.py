"""Samples of autoregressive decoders: kept activations against the whole network at each pixel."""

from __future__ import annotations

import math

import torch
from common import Options, Section

from pyvae.benchmarking import Variant, markdown, race
from pyvae.benchmarking.tables import si_seconds
from pyvae.decoders import AutoregressiveDecoder
from pyvae.models import AutoregressiveModel

IMAGES, SHAPE = 64, (1, 28, 28)


def _check(decoder: str) -> None:
    """Small images are the same either way."""
    model = AutoregressiveModel((1, 6, 5), decoder).eval()
    drawn = []
    net = model.decoder
    for stepper in (net.stepper, lambda z: AutoregressiveDecoder.stepper(net, z)):
        net.stepper = stepper
        torch.manual_seed(1)
        drawn.append(model.sample(4, mean=False))
    torch.testing.assert_close(*drawn)


def sampling(how: Options) -> Section:
    """A draw against a pass of the network for each of its pixels."""
    rows, data = [], []
    pixels = math.prod(SHAPE[1:])
    for decoder in ("pixelcnn", "gated_pixelcnn"):
        _check(decoder)
        model = AutoregressiveModel(SHAPE, decoder).eval()
        x, nothing = torch.rand(IMAGES, *SHAPE).round(), torch.zeros(IMAGES, 0)
        with torch.no_grad():
            times = race(
                {
                    "draw": Variant(lambda _, m=model: m.sample(IMAGES, mean=False)),
                    "pass": Variant(lambda _, m=model, x=x, z=nothing: m.decoder(z, x)),
                },
                seconds=how.seconds,
            )
        draw, once = times["draw"].median, times["pass"].median
        name = f"{decoder}, {IMAGES} images of {SHAPE[1]} x {SHAPE[2]}"
        rows.append([name, si_seconds(once), si_seconds(draw), f"{pixels * once / draw:.0f}x"])
        data.append({"work": name, "ratio": pixels * once / draw})
    head = ["microseconds", "a pass of the network", "a draw", f"{pixels} passes / a draw"]
    return Section("sampling", "Autoregressive samples", markdown(head, rows), data)
