"""Mixtures of discretized logistics, for images of 256 levels."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ._arguments import ops
from .observed import check_mask

LOWEST_LOG_SCALE = -7.0
PLANES = {1: 3, 3: 10}  # of a component, for images of so many channels


def discretized_logistic_mixture_log_prob(
    x: Tensor,
    params: Tensor,
    num_mixtures: int = 10,
    *,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
) -> Tensor:
    """log p(x) in nats, per image, under a mixture of discretized logistics at each pixel.

    log sum_m pi_m prod_c [sigmoid((x_c + 1/255 - mean) / s) - sigmoid((x_c - 1/255 - mean) / s)]:
    Salimans, Karpathy, Chen and Kingma, "PixelCNN++", 2017, equation 2. The lowest level has all
    mass below it, the highest all above, so that the 256 probabilities sum to one; each is exact
    at every scale, with no midpoint rule. Channels share the component, and the means of green and
    blue depend on the channels before: mean_g + tanh(k_r) x_r and
    mean_b + tanh(k_g) x_r + tanh(k_b) x_g (equation 3).

    Args:
        x: ``(*batch, 3, H, W)`` or ``(*batch, 1, H, W)``: integer levels 0 to 255, or floats that
            are levels scaled to [-1, 1], 2 level / 255 - 1.
        params: ``(*batch, 10 M, H, W)`` for three channels, in the order of PixelCNN++: M mixture
            logits, then M means, M log-scales and M coefficients for each channel. For one channel
            ``(*batch, 3 M, H, W)``: logits, means, log-scales. Log-scales below -7 count as -7,
            and get no gradient there. Batch dimensions may be missing or 1, here and in ``x``.
        num_mixtures: M, 1 to 100.
        mask: bool, True where a pixel is observed, ``(*batch, 1, H, W)`` or ``(B, H, W)``: the
            channels of a pixel are observed together. See :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast batch to keep.

    Returns:
        ``(*batch,)``, float32 at least. For a float ``x`` that requires a gradient the plain
        PyTorch reference computes the call, which is slower.

    Raises:
        ValueError: shapes or ``num_mixtures`` do not fit together.
        TypeError: ``x`` is neither uint8 nor floating-point, ``params`` is not floating-point, or
            ``mask`` not bool.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
        >>> discretized_logistic_mixture_log_prob(x, torch.zeros(2, 50, 4, 4), 5)
        tensor([-62.8990, -62.8990])
    """
    if mask is not None:
        x, params = _certain_unless(mask, x, params, num_mixtures)
    return ops.discretized_logistic_mixture_log_prob.default(x, params, num_mixtures, batch_ndim)  # type: ignore[no-any-return]


def _certain_unless(
    mask: Tensor, x: Tensor, params: Tensor, num_mixtures: int
) -> tuple[Tensor, Tensor]:
    """Pixels that are not observed as certain ones: white, of log p = 0 and no gradient.

    The op works on whole planes, and has no form for a single pixel.
    """
    planes = PLANES.get(x.shape[-3]) if x.ndim >= 3 else None
    if planes is None or num_mixtures < 1 or x.shape[-2:] != params.shape[-2:]:
        return x, params  # the op says what does not fit
    try:
        batch = torch.broadcast_shapes(x.shape[:-3], params.shape[:-3])
    except RuntimeError:
        return x, params
    pixel = (*batch, 1, *x.shape[-2:])
    if isinstance(mask, Tensor) and mask.shape[-3:-2] != (1,):  # without a place for channels
        mask = mask.unsqueeze(max(mask.ndim - 2, 0))
    check_mask("discretized_logistic_mixture_log_prob", mask, pixel, x.device)
    white = x.new_full((), 1 if x.is_floating_point() else 255)
    certain = torch.zeros(params.shape[-3], 1, 1, dtype=params.dtype, device=params.device)
    certain[1:num_mixtures] = -1e4  # logits: all weight on one component
    if len(certain) == planes * num_mixtures:
        kinds = certain[num_mixtures:].view(x.shape[-3], -1, num_mixtures, 1, 1)
        kinds[:, 0], kinds[:, 1] = 100.0, LOWEST_LOG_SCALE  # means and scales
    return torch.where(mask, x, white), torch.where(mask, params, certain)


def discretized_logistic_mixture_sample(
    params: Tensor, num_mixtures: int = 10, *, generator: Generator | None = None
) -> Tensor:
    """Draw levels from the density of :func:`discretized_logistic_mixture_log_prob`, exactly.

    One component for each pixel; then, channel by channel, a logistic number is rounded to the
    nearest level, which goes into the means of the channels after it.

    Args:
        params: as in :func:`discretized_logistic_mixture_log_prob`; 10 M planes give three
            channels, 3 M planes one.
        num_mixtures: M.
        generator: of the noise, instead of the default generator.

    Returns:
        uint8 levels ``(*batch, 3, H, W)`` or ``(*batch, 1, H, W)``; no gradient.

    Raises:
        ValueError: ``params`` has neither 10 M nor 3 M planes.

    Example:
        >>> import torch
        >>> discretized_logistic_mixture_sample(torch.zeros(2, 50, 4, 4), 5).shape
        torch.Size([2, 3, 4, 4])
    """
    op = "discretized_logistic_mixture_sample"
    planes = params.shape[-3] if params.ndim >= 3 else 0
    if num_mixtures < 1 or planes not in (3 * num_mixtures, 10 * num_mixtures):
        raise ValueError(
            f"{op}: params must have shape (*batch, 3 M, H, W) or (*batch, 10 M, H, W) with "
            f"M = num_mixtures of at least 1, got shape {tuple(params.shape)} for "
            f"num_mixtures={num_mixtures}"
        )
    if not params.is_floating_point():
        raise TypeError(f"{op}: params must be floating-point, got {params.dtype}")
    p = params.detach().to(torch.promote_types(params.dtype, torch.float32))
    channels, kinds = (1, 2) if planes == 3 * num_mixtures else (3, 3)

    def uniform(like: Tensor) -> Tensor:
        u = torch.rand(like.shape, dtype=p.dtype, device=p.device, generator=generator)
        return u.clamp(min=torch.finfo(p.dtype).eps / 4)  # not 0

    logits, rest = p.split([num_mixtures, planes - num_mixtures], -3)
    chosen = (logits - torch.log(-torch.log(uniform(logits)))).argmax(-3)[
        ..., None, None, None, :, :
    ]
    rest = rest.unflatten(-3, (channels, kinds, num_mixtures))
    rest = rest.take_along_dim(chosen, -3).squeeze(-3)  # (*batch, channel, kind, H, W)
    levels: list[Tensor] = []
    x: list[Tensor] = []
    for c in range(channels):
        mean, log_scale = rest[..., c, 0, :, :], rest[..., c, 1, :, :]
        if c == 1:
            mean = mean + torch.tanh(rest[..., 0, 2, :, :]) * x[0]
        if c == 2:
            mean = mean + torch.tanh(rest[..., 1, 2, :, :]) * x[0]
            mean = mean + torch.tanh(rest[..., 2, 2, :, :]) * x[1]
        scale = log_scale.clamp(min=LOWEST_LOG_SCALE).exp().clamp(max=torch.finfo(p.dtype).max)
        y = mean + scale * torch.logit(uniform(mean))
        levels.append(((y + 1) * 127.5).round().clamp(0, 255))
        x.append(levels[-1] * (2 / 255) - 1)
    return torch.stack(levels, -3).to(torch.uint8)
