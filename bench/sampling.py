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
DECODERS: dict[str, tuple[str, dict[str, object]]] = {
    "pixelcnn": ("pixelcnn", {}),
    "gated_pixelcnn": ("gated_pixelcnn", {}),
    "pixelrnn, row": ("pixelrnn", {"lstm": "row"}),
    "pixelrnn, diagonal": ("pixelrnn", {"lstm": "diagonal"}),
    "pixelcnn_pp": ("pixelcnn_pp", {}),
    "made": ("made", {"hidden": [500, 500]}),
}


def _check(decoder: str, options: dict[str, object]) -> None:
    """Small images are the same either way."""
    model = AutoregressiveModel((1, 6, 5), decoder, decoder_args=options).eval()
    drawn = []
    net = model.decoder
    for stepper in (net.stepper, lambda z: AutoregressiveDecoder.stepper(net, z)):
        net.stepper = stepper
        torch.manual_seed(1)
        drawn.append(model.sample(4, mean=False))
    torch.testing.assert_close(*drawn)


def _pixel(model: AutoregressiveModel, x: torch.Tensor, position: int) -> torch.Tensor:
    """Draw one pixel by a pass of the whole network."""
    step = AutoregressiveDecoder.stepper(model.decoder, torch.zeros(len(x), 0))
    one = model.likelihood.at(position)
    return one(step(x, position).reshape(-1, *one.param_shape)).sample()


def sampling(how: Options) -> Section:
    """A draw against one that runs the whole network for each pixel."""
    rows, data = [], []
    pixels = math.prod(SHAPE[1:])
    for title, (decoder, options) in DECODERS.items():
        _check(decoder, options)
        model = AutoregressiveModel(SHAPE, decoder, decoder_args=options).eval()
        x = torch.rand(IMAGES, *SHAPE).round()
        with torch.no_grad():
            times = race(
                {
                    "draw": Variant(lambda _, m=model: m.sample(IMAGES, mean=False)),
                    "pixel": Variant(lambda _, m=model, x=x: _pixel(m, x, pixels // 2)),
                },
                seconds=how.seconds,
            )
        draw, once = times["draw"].median, times["pixel"].median
        name = f"{title}, {IMAGES} images of {SHAPE[1]} x {SHAPE[2]}"
        rows.append([name, si_seconds(once), si_seconds(draw), f"{pixels * once / draw:.0f}x"])
        data.append({"work": name, "ratio": pixels * once / draw})
    head = ["microseconds", "a pixel by the whole network", "a draw", f"{pixels} such / a draw"]
    return Section("sampling", "Autoregressive samples", markdown(head, rows), data)
