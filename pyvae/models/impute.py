"""What was not observed, from what was."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import Masked
from pyvae.models.base import Model
from pyvae.models.capacity import capacity
from pyvae.models.weights import weighted_samples

__all__ = ["impute"]


@torch.no_grad()
def impute(
    model: Model,
    x: Tensor,
    mask: Tensor,
    num_samples: int = 1000,
    *,
    side: Mapping[str, Tensor] | None = None,
    draws: int = 0,
    chunk: int | None = None,
    tick: Callable[[int], None] = lambda data: None,
) -> Tensor:
    r"""Data with a value in each place: those that were observed, and the model's for the others.

    .. math:: E[x_m | x_o] \approx \sum_k \tilde w_k E[x_m | z_k], \quad
        \tilde w_k \propto \frac{p(x_o|z_k)\, p(z_k)}{q(z_k|x_o)}, \quad z_k \sim q(z|x_o)

    Mattei & Frellsen 2019, eq. 8: importance sampling with weights that are divided by their sum,
    exact as K grows. Draws of p(x_m|x_o) choose one of the z_k by its weight instead, and draw from
    p(x|z_k) (sampling importance resampling). The samples are taken a few at a time, and data of
    many rows too, so memory grows with neither. No gradient.

    Args:
        model: one that takes masks, such as ``VAE(..., masked=True)``
        x: data (B, *data_shape), anything where the mask is False
        mask: bool (B, *data_shape), True where x was observed
        num_samples: K, samples of z for each datum
        side: further side inputs of the model, (B, ...) each
        draws: how many draws to take; 0: the conditional mean, for a category of a table the
            likeliest
        chunk: how many samples to hold at a time; default: what fits in some 100 MB
        tick: called after each piece of the work with the number of samples of all its data; what
            it raises ends it

    Returns:
        (B, *data_shape), or (draws, B, *data_shape), in a dtype that holds data and imputations.

    Raises:
        ValueError: the model takes no mask, x or mask have another shape, or a number is too small.
        TypeError: the mask is not bool.

    >>> from pyvae import VAE
    >>> x, mask = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4) < 0.5
    >>> whole = impute(VAE((1, 4, 4), latent_dim=2, masked=True), x, mask, 10)
    >>> bool((whole == x)[mask].all()), whole.shape
    (True, torch.Size([3, 1, 4, 4]))
    """
    _check(model, x, mask, num_samples, draws, chunk)
    rows = max(1, capacity(model, x, {**(side or {}), "mask": mask}) // max(1, draws))
    parts = []
    for start in range(0, max(len(x), 1), rows):
        part = slice(start, start + rows)
        few = {name: value[part] for name, value in {**(side or {}), "mask": mask}.items()}
        size = chunk or max(1, rows // max(1, len(x[part])))
        sizes = [min(size, num_samples - done) for done in range(0, num_samples, size)]
        fill = _draws if draws else _mean
        found = fill(model, x[part], few, sizes, draws, tick)
        dtype = torch.promote_types(x.dtype, found.dtype)
        parts.append(torch.where(mask[part], x[part].to(dtype), found.to(dtype)))
    return torch.cat(parts, 1 if draws else 0)


def _mean(
    model: Model,
    x: Tensor,
    side: Mapping[str, Tensor],
    sizes: list[int],
    draws: int,
    tick: Callable[[int], None],
) -> Tensor:
    """The conditional mean (B, *data_shape), summed up with weights relative to the largest."""
    top = total = sums = torch.zeros(())
    for i, k in enumerate(sizes):
        _, p, log_w = weighted_samples(model, x, k, side)
        tick(k * len(x))
        statistics = model.likelihood.statistics(_whole(p))
        new = log_w.max(0).values if i == 0 else torch.maximum(top, log_w.max(0).values)
        w = (log_w - new).exp()
        weighted = torch.einsum("kb,kb...->b...", w.to(statistics.dtype), statistics)
        if i == 0:
            total, sums = w.sum(0), weighted
        else:
            faded = (top - new).exp()
            total = total * faded + w.sum(0)
            sums = sums * _beside(faded, sums) + weighted
        top = new
    return model.likelihood.from_statistics(sums / _beside(total, sums))


def _draws(
    model: Model,
    x: Tensor,
    side: Mapping[str, Tensor],
    sizes: list[int],
    draws: int,
    tick: Callable[[int], None],
) -> Tensor:
    """Draws (draws, B, *data_shape) at samples that win by log w plus Gumbel noise."""
    best = chosen = torch.zeros(())
    for i, k in enumerate(sizes):
        z, _, log_w = weighted_samples(model, x, k, side)
        tick(k * len(x))
        noise = -torch.empty(draws, *log_w.shape, device=x.device).exponential_().log()
        value, place = (log_w + noise).max(1)  # (draws, B)
        winners = z[place, torch.arange(len(x), device=x.device)]
        if i == 0:
            best, chosen = value, winners
        else:
            better = value > best
            best = torch.where(better, value, best)
            chosen = torch.where(_beside(better, winners), winners, chosen)
    return model.decode(chosen, **side).sample()


def _whole(p: Distribution) -> Distribution:
    return p.base if isinstance(p, Masked) else p


def _beside(of_rows: Tensor, values: Tensor) -> Tensor:
    return of_rows.reshape(*of_rows.shape, *[1] * (values.ndim - of_rows.ndim))


def _check(
    model: Model, x: Tensor, mask: Tensor, num_samples: int, draws: int, chunk: int | None
) -> None:
    if "mask" not in model.side_inputs:
        raise ValueError(
            f"impute: the {type(model).__name__} was not made for data of which a part is missing; "
            f"VAE(..., masked=True) is, and so is one trained on data with a mask"
        )
    if tuple(x.shape[1:]) != tuple(model.data_shape) or mask.shape != x.shape:
        raise ValueError(
            f"impute: x and mask must have shape (B, {', '.join(map(str, model.data_shape))}), "
            f"got {tuple(x.shape)} and {tuple(mask.shape)}"
        )
    if mask.dtype != torch.bool:
        raise TypeError(f"impute: mask must be bool, True where x is observed, got {mask.dtype}")
    if num_samples < 1 or draws < 0 or (chunk is not None and chunk < 1):
        raise ValueError(
            f"impute: num_samples and chunk must be at least 1 and draws at least 0, got "
            f"{num_samples}, {chunk} and {draws}"
        )
