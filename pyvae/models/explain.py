"""How a decoder and a likelihood make p(x|z)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.decoders import AutoregressiveDecoder
from pyvae.distributions import Autoregressive
from pyvae.likelihoods import Likelihood

__all__ = ["explain"]


def explain(
    decoder: nn.Module, likelihood: Likelihood, z: Tensor, side: Mapping[str, Tensor]
) -> Distribution:
    """p(x|z) with batch_shape (*batch,), for z (*batch, latent_dim).

    All elements at once, or one after the other where the decoder sees those before.
    """
    if isinstance(decoder, AutoregressiveDecoder):
        return _one_by_one(decoder, likelihood, z, side)
    p: Distribution = likelihood(decoder(z), **side)
    return p


def _one_by_one(
    decoder: AutoregressiveDecoder, likelihood: Likelihood, z: Tensor, side: Mapping[str, Tensor]
) -> Autoregressive:
    shape = decoder.data_shape

    def conditional(x: Tensor) -> Distribution:
        latents = z.expand(*x.shape[: x.ndim - len(shape)], z.shape[-1])
        p: Distribution = likelihood(decoder(latents, likelihood.as_input(x, z.dtype)), **side)
        return p

    draw = partial(_draw, decoder, likelihood, z, side)
    return Autoregressive(conditional, draw, z.shape[:-1], shape)


def _draw(
    decoder: AutoregressiveDecoder,
    likelihood: Likelihood,
    z: Tensor,
    side: Mapping[str, Tensor],
    count: int,
) -> Tensor:
    """Data (count, *batch, *data_shape), position by position."""
    batch, shape = (count, *z.shape[:-1]), decoder.data_shape
    rows = z.expand(*batch, z.shape[-1]).flatten(0, -2)
    step = decoder.stepper(rows)
    channels = shape[0] if len(shape) > 1 else 1
    whole = likelihood(rows.new_zeros(*batch, *decoder.out_shape), **side).sample()
    x = torch.zeros_like(whole).reshape(len(rows), channels, -1)  # of that dtype
    for position in range(x.shape[-1]):
        params = step(likelihood.as_input(x.reshape(len(rows), *shape), z.dtype), position)
        one = likelihood.at(position)
        drawn = one(params.reshape(*batch, *one.param_shape), **side).sample()
        x[..., position] = drawn.reshape(len(rows), channels)
    return x.reshape(*batch, *shape)
