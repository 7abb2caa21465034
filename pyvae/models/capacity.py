"""How many data a model takes at a time in some 100 MB."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from pyvae.models.weights import LatentVariableModel, log_weights

__all__ = ["capacity"]

BUDGET = 2**23  # numbers in the widest layer


def capacity(model: LatentVariableModel, x: Tensor, side: Mapping[str, Tensor]) -> int:
    """How many samples of how many data a model explains at a time, at least 1.

    It is as many as have 2^23 numbers in the widest layer, which is 64 times as wide as an image
    where a convolution has 64 channels. One datum is taken through the model to find that layer;
    torch's random state is left as it was.

    Args:
        model: any model with encode, decode and prior
        x: data (B, *data_shape); if there is none, the datum alone is counted
        side: side inputs of the model, (B, ...) each

    >>> from pyvae import VAE
    >>> x = torch.zeros(1, 1, 16, 16)
    >>> capacity(VAE((1, 16, 16), 2), x, {})
    32768
    >>> capacity(VAE((1, 16, 16), 2, decoder="conv"), x, {})
    4096
    """
    widest = max(1, math.prod(model.data_shape))
    if isinstance(model, nn.Module) and len(x):
        widest = max(widest, _widest(model, list(model.modules()), x, side))
    return max(1, BUDGET // widest)


def _widest(
    model: LatentVariableModel, modules: list[nn.Module], x: Tensor, side: Mapping[str, Tensor]
) -> int:
    """The numbers that the widest of the modules gives for the first datum."""
    widest = 0

    def look(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal widest
        sizes = [leaf.numel() for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        widest = max([widest, *sizes])

    hooks = [module.register_forward_hook(look) for module in modules]
    training = [module for module in modules if module.training]
    devices = [x.device] if x.device.type == "cuda" else []
    first = {name: value[:1] for name, value in side.items()}
    try:
        for module in training:
            module.training = False
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            log_weights(model, x[:1], 1, **first)
    finally:
        for module in training:
            module.training = True
        for hook in hooks:
            hook.remove()
    return widest
