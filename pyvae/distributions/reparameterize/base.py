"""What a reparameterization is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

__all__ = ["Noise", "Reparameterization", "at_least_float", "gaussian_noise", "uniform_noise"]

#: Draws noise of a shape, on the device of a tensor and in its dtype.
Noise = Callable[[Sequence[int], Tensor, Generator | None], Tensor]


def at_least_float(dtype: torch.dtype) -> torch.dtype:
    """float32 for 16-bit types, whose numbers are too few for noise."""
    wide: torch.dtype = torch.promote_types(dtype, torch.float32)
    return wide


def source(generator: Generator | None) -> dict[str, Any]:
    """The keyword of a generator; none where it is the default one, which torch.compile traces."""
    return {} if generator is None else {"generator": generator}


def uniform_noise(shape: Sequence[int], like: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform on (0, 1); neither end occurs, where an inverse CDF may be infinite."""
    u: Tensor = torch.rand(tuple(shape), dtype=like.dtype, device=like.device, **source(generator))
    return u.clamp_(min=torch.finfo(u.dtype).eps / 4)


def gaussian_noise(
    shape: Sequence[int], like: Tensor, generator: Generator | None = None
) -> Tensor:
    """Standard normal."""
    noise: Tensor = torch.randn(
        tuple(shape), dtype=like.dtype, device=like.device, **source(generator)
    )
    return noise


@dataclass(frozen=True)
class Reparameterization:
    r"""A family of distributions as z = g(eps; parameters) with eps free of parameters.

    .. math::
        \nabla_\theta E_{z \sim p_\theta} f(z) = E_\epsilon \nabla_\theta f(g(\epsilon; \theta))

    Kingma & Welling 2014, section 2.4.

    Args:
        parameters: their names, in the order of the call
        noise: draws eps
        transform: g(eps, *parameters), differentiable in the parameters
        draws: how many values of noise make one sample, along a first dimension; None: one, without
            that dimension

    >>> import torch
    >>> eps = torch.tensor([0.5])
    >>> double = Reparameterization(("scale",), uniform_noise, lambda eps, scale: eps * scale)
    >>> double(torch.tensor([2.0]), noise=eps)
    tensor([1.])
    """

    parameters: tuple[str, ...]
    noise: Noise
    transform: Callable[..., Tensor]
    draws: int | None = None

    def draw(
        self,
        *parameters: Tensor,
        sample_shape: Sequence[int] = (),
        generator: Generator | None = None,
    ) -> Tensor:
        """Noise for samples of these parameters: (*draws, *sample_shape, *shape of them all).

        Args:
            parameters: in the order of ``parameters``; they broadcast
            sample_shape: leading dimensions
            generator: default: torch's own
        """
        if len(parameters) != len(self.parameters):
            raise TypeError(
                f"reparameterize: expected the parameters {', '.join(self.parameters)}, "
                f"got {len(parameters)}"
            )
        if any(not torch.is_tensor(p) or not p.is_floating_point() for p in parameters):
            raise TypeError(
                f"reparameterize: {', '.join(self.parameters)} must be floating-point tensors"
            )
        shape = torch.broadcast_shapes(*(p.shape for p in parameters))
        dtype = parameters[0].dtype
        for p in parameters[1:]:
            dtype = torch.promote_types(dtype, p.dtype)
        like = parameters[0].new_empty((), dtype=at_least_float(dtype))
        first = () if self.draws is None else (self.draws,)
        return self.noise((*first, *sample_shape, *shape), like, generator)

    def __call__(
        self,
        *parameters: Tensor,
        sample_shape: Sequence[int] = (),
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Samples (*sample_shape, *shape of the parameters), differentiable in the parameters.

        Args:
            parameters: in the order of ``parameters``; they broadcast
            sample_shape: leading dimensions
            generator: default: torch's own
            noise: what :meth:`draw` gave; the same noise gives the same sample
        """
        if noise is None:
            noise = self.draw(*parameters, sample_shape=sample_shape, generator=generator)
        return self.transform(noise, *parameters)
