"""Gaussians whose precision is diagonal plus rank one."""

from __future__ import annotations

from torch import Generator, Tensor

from ._arguments import draw_seed, ops


def rank1_gaussian_rsample_kl(
    mean: Tensor,
    log_precision: Tensor,
    u: Tensor,
    *,
    batch_ndim: int = 1,
    generator: Generator | None = None,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A sample of N(mean, C) with C^-1 = diag(exp(log_precision)) + u u^T, and its KL to N(0, I).

    Rezende, Mohamed and Wierstra, "Stochastic backpropagation and approximate inference in deep
    generative models", 2014, equations 14 to 16: with D = diag(exp(log_precision)),
    s = u^T D^-1 u and eta = 1 / (1 + s),

    z = mean + [D^-1/2 - (1 - sqrt(eta)) / s D^-1 u u^T D^-1/2] eps, eps ~ N(0, I),

    KL = 1/2 [sum D^-1 - eta sum (D^-1 u)^2 + |mean|^2 - log eta + sum log_precision - d].

    No matrix is formed: time and memory are those of a few vectors of length d. u = 0 is the
    diagonal Gaussian, :func:`gaussian_rsample_kl` with the same noise; u and -u are the same. Exact
    near the prior, and where one element of u outweighs all others. The noise is made inside the
    kernel and made again in the backward.

    Args:
        mean: ``(*batch, *event)``; several event dimensions count as one vector.
        log_precision: logarithm of D, of the same shape.
        u: the direction whose precision is raised by its squared length, of the same shape.
        batch_ndim: leading dimensions to keep in the KL.
        generator: as in :func:`gaussian_rsample`.
        seed: as in :func:`gaussian_rsample`.

    Returns:
        z of the shape of ``mean``, in the dtype promoted from all three, and the KL of shape
        ``(*batch,)`` in nats, float32 at least.

    Raises:
        ValueError: the shapes differ.
        TypeError: an argument is not a floating-point tensor.

    Example:
        >>> import torch
        >>> mean, log_precision, u = torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 3)
        >>> z, kl = rank1_gaussian_rsample_kl(mean, log_precision, u)
        >>> z.shape, kl  # 1/2 [3 - 3/4 + log 4 - 3]
        (torch.Size([2, 3]), tensor([0.3181, 0.3181]))
    """
    noise = draw_seed("rank1_gaussian_rsample_kl", mean, generator, seed)
    return ops.rank1_gaussian_rsample_kl.default(mean, log_precision, u, noise, batch_ndim)  # type: ignore[no-any-return]
