"""From data to latents and back, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pyvae.analysis.rows import Rows, check_latents, rows_at_a_time, stream
from pyvae.models.base import Model, mean_or_sample

__all__ = ["decode", "decode_parts", "encode"]


@torch.no_grad()
def encode(model: Model, data: Rows, *, draws: bool = False) -> Tensor:
    """The codes of data: the means of q(z|x), or one draw of it for each datum.

    Where the posterior's mean has no closed form, a draw takes its place.

    Args:
        model: any model with latents
        data: x (N, *data_shape) as the likelihood sees them, a :class:`pyvae.batch.Batch`, or
            batches that come one by one
        draws: draws instead of means

    Returns:
        z (N, latent_dim), on the CPU.

    Raises:
        ValueError: the model has no latents, or there are no data.

    >>> from pyvae import VAE
    >>> encode(VAE((1, 8, 8), latent_dim=3), torch.zeros(1000, 1, 8, 8)).shape
    torch.Size([1000, 3])
    """
    check_latents("encode", model)
    parts = []
    for batch in stream(model, data):
        q, _ = model.infer(batch)
        parts.append((q.sample() if draws else mean_or_sample(q)).cpu())
    if not parts:
        raise ValueError("encode: there are no data")
    return torch.cat(parts)


def decode(
    model: Model, z: Tensor, side: Mapping[str, Tensor] | None = None, *, draws: bool = False
) -> Tensor:
    """The means of p(x|z) at latents, or one draw of it for each.

    Where p(x|z) has no mean in closed form, a draw takes its place.

    Args:
        model: any model with latents
        z: latents (*batch, latent_dim)
        side: side inputs that the model takes, (B, ...) each; where there are more latents than
            rows of them, the rows are taken over and over
        draws: draws instead of means

    Returns:
        x (*batch, *data_shape), on the CPU.

    Raises:
        ValueError: the latents have another size, or the model has none.

    >>> from pyvae import VAE
    >>> decode(VAE((1, 8, 8), latent_dim=3), torch.zeros(5, 2, 3)).shape
    torch.Size([5, 2, 1, 8, 8])
    """
    shape = (*z.shape[:-1], *model.data_shape)
    parts = list(decode_parts(model, z, side, draws=draws))
    return torch.cat(parts).view(shape) if parts else torch.empty(shape)


def decode_parts(
    model: Model, z: Tensor, side: Mapping[str, Tensor] | None = None, *, draws: bool = False
) -> Iterator[Tensor]:
    """What :func:`decode` gives, some rows (B, *data_shape) at a time."""
    check_latents("decode", model)
    if z.ndim == 0 or z.shape[-1] != model.latent_dim:
        raise ValueError(
            f"decode: z must have shape (*batch, {model.latent_dim}), got {tuple(z.shape)}"
        )
    device = next(model.parameters()).device
    flat = z.reshape(-1, model.latent_dim)
    for index in torch.arange(len(flat)).split(rows_at_a_time(model)):
        if not len(index):
            return
        rows = {name: _cycled(value, index).to(device) for name, value in (side or {}).items()}
        with torch.no_grad():
            p = model.decode(flat[index.to(flat.device)].to(device, model.dtype), **rows)
            yield (p.sample() if draws else mean_or_sample(p)).cpu()


def _cycled(value: Tensor, index: Tensor) -> Tensor:
    return value[(index % len(value)).to(value.device)]
