"""Ways through the latents, and the data along them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.analysis.codes import decode
from pyvae.analysis.rows import check_latents
from pyvae.models.base import Model

__all__ = ["between", "check_real", "interpolate", "prior_moments", "traverse"]

PATHS = ("spherical", "linear")
DRAWS = 10_000  # of a prior whose moments have no closed form


def check_real(command: str, model: Model, side: Mapping[str, Tensor]) -> None:
    """Raises: ValueError: the model has no latents, or those it has are no real numbers."""
    check_latents(command, model)
    p = _prior(model, side)
    try:
        discrete = p.support is not None and p.support.is_discrete
    except NotImplementedError:
        discrete = False
    if discrete:
        raise ValueError(
            f"{command}: the latents must be real numbers, between which there is a way; those of "
            f"{type(p).__name__} are not"
        )


def between(
    start: Tensor, end: Tensor, steps: int, path: Literal["spherical", "linear"] = "spherical"
) -> Tensor:
    r"""Latents on the way from one to another, both ends among them.

    Spherical, over the angle :math:`\omega` between the two (Shoemake 1985; White 2016):

    .. math:: z_t = \frac{\sin((1 - t) \omega)}{\sin \omega} z_0
                  + \frac{\sin(t \omega)}{\sin \omega} z_1

    which keeps the norm that latents of a normal prior have; linear where they point the same way
    or opposite ways, or if asked for.

    Args:
        start, end: (N, D)
        steps: how many latents on the way, 2 or more
        path: "spherical" or "linear"

    Returns:
        (N, steps, D)

    Raises:
        ValueError: other shapes, fewer than 2 steps, or an unknown path.

    >>> between(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3)[0, 1]
    tensor([0.7071, 0.7071])
    """
    if path not in PATHS:
        raise ValueError(f"interpolate: path must be {' or '.join(PATHS)}, got {path!r}")
    if steps < 2 or start.shape != end.shape or start.ndim != 2:
        raise ValueError(
            f"interpolate: start and end must have one shape (N, D) and steps be 2 or more, got "
            f"{tuple(start.shape)}, {tuple(end.shape)} and {steps}"
        )
    a, b = start.double()[:, None], end.double()[:, None]
    t = torch.linspace(0, 1, steps, dtype=torch.float64, device=start.device)[:, None]
    straight = (1 - t) * a + t * b
    if path == "linear":
        return straight.to(start.dtype)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).unsqueeze(-1)
    angle = cosine.clamp(-1, 1).acos()
    sine = angle.sin()
    apart = sine.abs() > 1e-6
    safe = torch.where(apart, sine, torch.ones_like(sine))
    curved = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / safe
    return torch.where(apart, curved, straight).to(start.dtype)


def interpolate(
    model: Model,
    start: Tensor,
    end: Tensor,
    steps: int = 10,
    *,
    path: Literal["spherical", "linear"] = "spherical",
    side: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The means of p(x|z) on the way from latents to others: see :func:`between`.

    Args:
        model: any model with real latents
        start, end: latents (N, latent_dim)
        steps: pictures on the way, both ends among them
        path: "spherical" or "linear"
        side: side inputs that the model takes, (N, ...) each, the same all the way

    Returns:
        x (N, steps, *data_shape), on the CPU.

    Raises:
        ValueError: latents that are not real, other shapes, or fewer than 2 steps.

    >>> from pyvae import VAE
    >>> interpolate(VAE((1, 8, 8), latent_dim=2), torch.randn(3, 2), torch.randn(3, 2), 5).shape
    torch.Size([3, 5, 1, 8, 8])
    """
    check_real("interpolate", model, side or {})
    each = {name: value.repeat_interleave(steps, 0) for name, value in (side or {}).items()}
    return decode(model, between(start, end, steps, path), each)


@torch.no_grad()
def prior_moments(model: Model, side: Mapping[str, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of p(z), (latent_dim,) each; from draws where none are known.

    Args:
        model: any model with real latents
        side: side inputs that the prior takes, of one datum: (1, ...) each
    """
    p = _prior(model, side or {})
    try:
        mean, std = p.mean, p.stddev
    except NotImplementedError:
        z = p.sample(torch.Size((DRAWS,)))
        mean, std = z.mean(0), z.std(0)
    return mean.reshape(-1, model.latent_dim)[0], std.reshape(-1, model.latent_dim)[0]


def _prior(model: Model, side: Mapping[str, Tensor]) -> Distribution:
    """p(z), given those side inputs that it takes."""
    device = next(model.parameters()).device
    return model.prior(**{n: side[n].to(device) for n in model.prior_inputs if n in side})


@torch.no_grad()
def traverse(
    model: Model,
    z: Tensor | None = None,
    *,
    latents: Sequence[int] | None = None,
    steps: int = 9,
    width: float = 3.0,
    side: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The means of p(x|z) while one latent goes through the prior and the others stay.

    Latent d takes ``steps`` values from ``width`` standard deviations of p(z) below its mean to as
    many above it (Higgins et al. 2017, figure 2).

    Args:
        model: any model with real latents
        z: where the other latents are (latent_dim,); default: the prior's mean
        latents: which latents, each a row; default: all
        steps: pictures for each
        width: in standard deviations of the prior
        side: side inputs that the model takes, of one datum: (1, ...) each

    Returns:
        x (len(latents), steps, *data_shape), on the CPU.

    Raises:
        ValueError: latents that are not real, numbers of latents that the model does not have,
            fewer than one step, or a width that is not positive.

    >>> from pyvae import VAE
    >>> traverse(VAE((1, 8, 8), latent_dim=3), latents=[0, 2], steps=5).shape
    torch.Size([2, 5, 1, 8, 8])
    """
    check_real("traverse", model, side or {})
    chosen = list(range(model.latent_dim)) if latents is None else list(latents)
    outside = [d for d in chosen if not 0 <= d < model.latent_dim]
    if outside or steps < 1:
        raise ValueError(
            f"traverse: latents must be from 0 to {model.latent_dim - 1} and steps positive, got "
            f"{', '.join(map(str, outside or chosen))} and {steps}"
        )
    if not 0 < width < math.inf:
        raise ValueError(f"traverse: the width must be a positive number, got {width}")
    mean, std = (moment.cpu().double() for moment in prior_moments(model, side))
    centre = mean if z is None else z.detach().cpu().double()
    if centre.shape != mean.shape:
        raise ValueError(
            f"traverse: z must have shape ({model.latent_dim},), got {tuple(centre.shape)}"
        )
    way = torch.linspace(-width, width, steps, dtype=torch.float64)
    points = centre.expand(len(chosen), steps, -1).clone()
    for row, d in enumerate(chosen):
        points[row, :, d] = mean[d] + way * std[d]
    return decode(model, points, side)
