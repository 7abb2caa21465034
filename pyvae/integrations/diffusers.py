"""The posterior of diffusers' autoencoders, computed by the ops."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Generator, Tensor

from pyvae.functional import gaussian_kl, gaussian_log_prob, gaussian_rsample
from pyvae.integrations._library import Patch, Replacement, library

__all__ = ["DiagonalGaussianDistribution", "patch", "patched", "restore"]

NAME = "DiagonalGaussianDistribution"
LOWEST, HIGHEST = -30.0, 20.0  # diffusers' bounds of a log-variance
IMAGE = (1, 2, 3)  # the dimensions that diffusers sums over

_theirs = getattr(library("diffusers.models.autoencoders.vae", "diffusers"), NAME)


class DiagonalGaussianDistribution(_theirs):  # type: ignore[misc,valid-type]
    """``DiagonalGaussianDistribution`` of diffusers: q(z|x) of an image autoencoder.

    The same interface and the same numbers, in less time and memory: the noise of a sample, its
    standard deviation and variance are not stored, and a KL is summed in one pass with its
    gradient. Values are float32 at least, in 16-bit models, too. Noise is a function of a seed that
    the generator draws: other numbers than diffusers draws from it, and always the same ones.
    Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022.

    Args:
        parameters: mean and log-variance, ``(B, 2 C, H, W)`` or with other dimensions in the place
            of H and W; log-variances count as -30 at least and 20 at most.
        deterministic: the distribution is its mean.

    >>> q = DiagonalGaussianDistribution(torch.zeros(2, 8, 4, 4))
    >>> q.sample().shape, q.kl()
    (torch.Size([2, 4, 4, 4]), tensor([0., 0.]))
    """

    def __init__(self, parameters: Tensor, deterministic: bool = False) -> None:
        self.parameters = parameters
        self.mean, logvar = torch.chunk(parameters, 2, dim=1)
        self.logvar = torch.clamp(logvar, LOWEST, HIGHEST)
        self.deterministic = deterministic

    @property
    def std(self) -> Tensor:
        return torch.zeros_like(self.mean) if self.deterministic else (self.logvar / 2).exp()

    @property
    def var(self) -> Tensor:
        return torch.zeros_like(self.mean) if self.deterministic else self.logvar.exp()

    def sample(self, generator: Generator | list[Generator] | None = None) -> Tensor:
        """z ~ q, of the shape, dtype and memory format of the mean, differentiable.

        Args:
            generator: draws the seed of the noise, wherever it lives; a list has one for each row,
                whose noise does not depend on the other rows.

        Raises:
            ValueError: a list shorter than the batch, other than of length 1.
        """
        if self.deterministic:
            return self.mean.clone()
        if isinstance(generator, list):
            rows = len(self.mean)
            if len(generator) == 1:
                return self.sample(generator[0])
            if len(generator) < rows:
                raise ValueError(
                    f"{NAME}.sample: expected a generator for each of {rows} rows, "
                    f"got {len(generator)}"
                )
            pairs = zip(self.mean.split(1), self.logvar.split(1), generator, strict=False)
            return self._as_mean(torch.cat([_draw(*pair) for pair in pairs]))
        return self._as_mean(_draw(self.mean, self.logvar, generator))

    def kl(self, other: Any = None) -> Tensor:
        """KL(q || other), or from N(0, I), in nats: ``(B,)``, summed over dimensions 1, 2 and 3.

        Args:
            other: the same of another image, of this class or of diffusers'.
        """
        if self.deterministic:
            return torch.Tensor([0.0])
        operands = [self.mean, self.logvar]
        if other is not None:
            if other.deterministic:  # a point
                return torch.full_like(self.kl(), torch.inf)
            operands += [other.mean, other.logvar]
        kept, operands = _kept_first("kl", IMAGE, operands)
        return gaussian_kl(*operands, batch_ndim=kept)

    def nll(self, sample: Tensor, dims: Sequence[int] = IMAGE) -> Tensor:
        """-log q(sample) in nats, summed over some dimensions.

        Args:
            sample: of the shape of the mean.
            dims: to sum over; none: all of them, as ``torch.sum`` has it.
        """
        if self.deterministic:
            return torch.Tensor([0.0])
        kept, operands = _kept_first("nll", dims, [sample, self.mean, self.logvar])
        return -gaussian_log_prob(*operands, batch_ndim=kept)

    def mode(self) -> Tensor:
        return self.mean

    def _as_mean(self, z: Tensor) -> Tensor:
        """z in the memory format of the parameters; the op gives it row by row."""
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if z.ndim in formats and not self.parameters.is_contiguous():
            form = formats[z.ndim]
            if self.parameters.is_contiguous(memory_format=form):
                return z.contiguous(memory_format=form)
        return z


def _draw(mean: Tensor, logvar: Tensor, generator: Generator | None) -> Tensor:
    if generator is None or generator.device == mean.device:
        return gaussian_rsample(mean, logvar, generator=generator)
    seed = torch.randint(-(2**63), 2**63 - 1, (), generator=generator, device=generator.device)
    return gaussian_rsample(mean, logvar, seed=seed.to(mean.device))


def _kept_first(
    method: str, dims: Sequence[int], operands: Sequence[Tensor]
) -> tuple[int, list[Tensor]]:
    """Operands of one shape with the dimensions that are kept in front, and how many those are."""
    operands = torch.broadcast_tensors(*operands)
    ndim = operands[0].ndim
    if any(not -ndim <= d < ndim for d in dims):
        raise IndexError(
            f"{NAME}.{method}: expected dimensions of a tensor of {ndim}, got {tuple(dims)}"
        )
    summed = [d % ndim for d in dims] or list(range(ndim))
    kept = [d for d in range(ndim) if d not in summed]
    if kept != list(range(len(kept))):
        operands = [t.permute(*kept, *sorted(summed)) for t in operands]
    return len(kept), list(operands)


def patch() -> None:
    """Let every autoencoder of diffusers return this module's distribution.

    ``AutoencoderKL.encode(x).latent_dist`` and the like are then computed by the ops; modules that
    diffusers imports later are included. Calling this twice is the same as calling it once.

    >>> patch()
    >>> restore()
    """
    _patch.apply()


def restore() -> None:
    """Give diffusers its own class back.

    >>> restore()
    """
    _patch.restore()


def patched() -> AbstractContextManager[None]:
    """:func:`patch` for a block; afterwards all is as it was before.

    >>> from diffusers.models.autoencoders import vae
    >>> with patched():
    ...     vae.DiagonalGaussianDistribution is DiagonalGaussianDistribution
    True
    """
    return _patch()


def _replacements() -> Iterator[Replacement]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "diffusers" and (
            vars(module).get(NAME) in (_theirs, DiagonalGaussianDistribution)
        ):
            yield Replacement(module, NAME, DiagonalGaussianDistribution)


_patch = Patch(_replacements)
