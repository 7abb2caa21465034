"""Mixtures of discretized logistics."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from pyvae import functional as F

from ..case import OpCase
from ..draw import Draw, Shape, normal


def levels(shape: Shape, generator: Generator) -> Tensor:
    """0 to 255, the two edges more often than the rest."""
    drawn = torch.randint(-20, 276, shape, generator=generator, device=generator.device)
    return drawn.clamp(0, 255).to(torch.uint8)


def scaled_levels(shape: Shape, generator: Generator) -> Tensor:
    return levels(shape, generator).double() * (2 / 255) - 1


def _parameters(channels: int) -> Draw:
    kinds = 3 if channels == 3 else 2

    def draw(shape: Shape, generator: Generator) -> Tensor:
        t = normal(shape, generator)
        components = shape[1] // (1 + kinds * channels)
        of_channels = t[:, components:].unflatten(1, (channels, kinds, components))
        of_channels[:, :, 0] *= 0.5  # means
        of_channels[:, :, 1] -= 2  # log-scales
        return t

    return draw


def _components(pixels: int) -> int:
    """Ten, as is usual; few for the small images of which tests make Hessians."""
    return 10 if pixels >= 1000 else 3


def _row(name: str, channels: int, x: Draw) -> OpCase:
    planes = 10 if channels == 3 else 3  # of a component
    return OpCase(
        name=name,
        function=F.discretized_logistic_mixture_log_prob,
        native="discretized_logistic_mixture_log_prob",
        sizes=("batch", "event"),
        small=(5, 19),
        shapes=lambda b, d: {
            "x": (b, channels, 1, d),
            "params": (b, planes * _components(d), 1, d),
        },
        options=lambda b, d: {"num_mixtures": _components(d)},
        arguments=lambda a: (a["x"], a["params"], a["num_mixtures"], a.get("batch_ndim", 1)),
        differentiable=("params",),
        learned=("params",),
        draw={"x": x, "params": _parameters(channels)},
        one_pass=True,
        images=True,
    )


ROWS = [
    _row("discretized_logistic_mixture_log_prob", 3, scaled_levels),
    _row("discretized_logistic_mixture_log_prob_grey", 1, levels),
]
