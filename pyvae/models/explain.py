"""How a decoder and a likelihood make p(x|z)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.decoders import AutoregressiveDecoder
from pyvae.distributions import Autoregressive
from pyvae.likelihoods import Likelihood
from pyvae.networks import positions_of

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
    batch = (count, *z.shape[:-1])
    rows = z.expand(*batch, z.shape[-1]).flatten(0, -2)
    step = decoder.stepper(rows)
    of_params = decoder.positions.flatten()
    of_data = positions_of(decoder.data_shape).flatten().to(z.device)
    params = rows.new_zeros(len(rows), len(of_params))
    x = _sample(likelihood, params, batch, decoder.out_shape, side).zero_()
    for position in range(int(of_data[-1]) + 1):
        seen = likelihood.as_input(x.reshape(len(rows), *decoder.data_shape), z.dtype)
        params[:, of_params == position] = step(seen, position)
        drawn = _sample(likelihood, params, batch, decoder.out_shape, side)
        x[:, of_data == position] = drawn[:, of_data == position]
    return x.reshape(*batch, *decoder.data_shape)


def _sample(
    likelihood: Likelihood,
    params: Tensor,
    batch: tuple[int, ...],
    out_shape: tuple[int, ...],
    side: Mapping[str, Tensor],
) -> Tensor:
    """One draw for each row of parameters, flat."""
    drawn: Tensor = likelihood(params.reshape(*batch, *out_shape), **side).sample()
    return drawn.reshape(len(params), -1)
