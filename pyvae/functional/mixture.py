"""Mixtures of diagonal Gaussians: mixture priors, VampPrior, the aggregated posterior."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._arguments import ops


def gaussian_mixture_log_prob(
    z: Tensor,
    means: Tensor,
    logvars: Tensor,
    log_weights: Tensor | None = None,
    *,
    per_dimension: bool = False,
) -> Tensor:
    """log sum_k w_k N(z; means_k, diag exp(logvars_k)) in nats, per point.

    The density of a mixture prior, of VampPrior (Tomczak and Welling, "VAE with a VampPrior", 2018,
    equation 9) and of the aggregated posterior q(z) from the posteriors of a batch (Chen et al.,
    "Isolating sources of disentanglement in VAEs", 2018). The points and components are paired tile
    by tile: memory beyond the results and gradients is of the order of points + components, or at
    most a megabyte for few points. Exact far from the origin: differences are formed before they
    are squared.

    Args:
        z: points, ``(*batch, d)``.
        means: of the K components, ``(K, d)``.
        logvars: their log-variances, ``(K, d)``.
        log_weights: ``(K,)``, or ``(*batch, K)`` for weights of each point, such as
            :func:`minibatch_stratified_log_weights`. Not normalized here: apply
            ``log_softmax`` to free logits. -inf switches a component off. None: all are -log K.
        per_dimension: the density of each dimension by itself, log sum_k w_k N(z_d; m_kd, v_kd), as
            the total correlation takes: q(z_1), ..., q(z_d) instead of q(z).

    Returns:
        ``(*batch,)``, or ``(*batch, d)`` per dimension; float32 at least.

    Raises:
        ValueError: the shapes do not fit, or K is 0.

    Example:
        >>> import torch
        >>> z, means = torch.zeros(3, 2), torch.zeros(5, 2)
        >>> gaussian_mixture_log_prob(z, means, torch.zeros(5, 2))  # five equal components are one
        tensor([-1.8379, -1.8379, -1.8379])
        >>> gaussian_mixture_log_prob(z, means, torch.zeros(5, 2), per_dimension=True).shape
        torch.Size([3, 2])
    """
    return ops.gaussian_mixture_log_prob.default(z, means, logvars, log_weights, per_dimension)  # type: ignore[no-any-return]


def minibatch_weighted_log_weights(
    batch_size: int,
    dataset_size: int,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """log 1 / (N M) for each of M posteriors of a minibatch: q(z) by minibatch-weighted sampling.

    Chen et al., "Isolating sources of disentanglement in VAEs", 2018, appendix C.1, with N data
    points. Biased: in the mean its logarithm is less than that of q(z).

    Args:
        batch_size: M.
        dataset_size: N, at least M.
        dtype: of the result.
        device: of the result.

    Returns:
        ``(M,)``, for :func:`gaussian_mixture_log_prob`.

    Example:
        >>> minibatch_weighted_log_weights(2, 50)
        tensor([-4.6052, -4.6052])
    """
    _check_sizes("minibatch_weighted_log_weights", batch_size, dataset_size)
    value = -math.log(dataset_size * batch_size)
    return torch.full((batch_size,), value, dtype=dtype, device=device)


def minibatch_stratified_log_weights(
    batch_size: int,
    dataset_size: int,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Log-weights of q(z) by minibatch-stratified sampling: unbiased for each point of the batch.

    A minibatch of M of N data points, drawn without replacement, gives for a point z of its data
    point n*, which is certainly in the batch,

        q(z) ~ 1/N q(z|n*) + (N - 1) / (N (M - 1)) sum_{m != n*} q(z|n_m).

    Chen et al., 2018, appendix C.2, give one of the other points a weight of its own. This is the
    average over the choice of that point: unbiased as well, and it treats all of them alike.

    Args:
        batch_size: M. A single data point counts for itself alone, which is biased.
        dataset_size: N, at least M.
        dtype: of the result.
        device: of the result.

    Returns:
        ``(M, M)``: row i for the point of data point i, for :func:`gaussian_mixture_log_prob`.

    Example:
        >>> weights = minibatch_stratified_log_weights(3, 50).exp()
        >>> weights
        tensor([[0.0200, 0.4900, 0.4900],
                [0.4900, 0.0200, 0.4900],
                [0.4900, 0.4900, 0.0200]])
        >>> weights.sum(1)
        tensor([1., 1., 1.])
    """
    _check_sizes("minibatch_stratified_log_weights", batch_size, dataset_size)
    others = math.log(max(dataset_size - 1, 1) / max(batch_size - 1, 1) / dataset_size)
    weights = torch.full((batch_size, batch_size), others, dtype=dtype, device=device)
    weights.diagonal().fill_(-math.log(dataset_size))
    return weights


def _check_sizes(op: str, batch_size: int, dataset_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"{op}: batch_size must be at least 1, got {batch_size}")
    if dataset_size < batch_size:
        raise ValueError(
            f"{op}: dataset_size must be at least the batch_size, {batch_size}, got {dataset_size}"
        )
