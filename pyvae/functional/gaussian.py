"""Diagonal Gaussians by mean and log-variance."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor

from ._arguments import allowed, draw_seed, number, ops, repeated
from .observed import log_prob
from .parameters import one_of, scale_to_logvar


def gaussian_rsample(
    mean: Tensor,
    logvar: Tensor,
    *,
    sample_shape: Sequence[int] = (),
    generator: Generator | None = None,
    seed: Tensor | None = None,
) -> Tensor:
    """Sample z = mean + exp(logvar / 2) * eps, eps ~ N(0, I), with pathwise gradients.

    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4. The noise is made
    inside the kernel and made again in the backward; it is never stored.

    Args:
        mean: any shape.
        logvar: log-variance, broadcastable to the shape of ``mean``.
        sample_shape: leading dimensions of independent samples; the parameters are not expanded.
        generator: source of the seed, instead of the default generator.
        seed: int64 tensor of shape (), instead of a generator.

    Returns:
        z of shape ``(*sample_shape, *mean.shape)`` in the dtype promoted from mean and logvar.

    Example:
        >>> import torch
        >>> mean, logvar = torch.zeros(2, 3), torch.zeros(2, 3)
        >>> gaussian_rsample(mean, logvar, sample_shape=(5,)).shape
        torch.Size([5, 2, 3])
        >>> seed = torch.tensor(7)
        >>> first, again = (gaussian_rsample(mean, logvar, seed=seed) for _ in range(2))
        >>> torch.equal(first, again)
        True
    """
    noise = draw_seed("gaussian_rsample", mean, generator, seed)
    mean, shape = repeated(mean, sample_shape)
    return ops.gaussian_rsample.default(mean, logvar, noise, shape)  # type: ignore[no-any-return]


def gaussian_kl(
    mean: Tensor,
    logvar: Tensor,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    *,
    batch_ndim: int = 1,
) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(prior_mean, exp(prior_logvar))) in nats, per sample.

    1/2 sum [exp(d) - 1 - d + (mean - prior_mean)^2 exp(-prior_logvar)], d = logvar - prior_logvar:
    Kingma and Welling, 2014, appendix B, for a general diagonal prior. Exact near d = 0.

    Args:
        mean: ``(*batch, *event)``.
        logvar: log-variance; broadcasts.
        prior_mean: of the prior; broadcasts. Neither given: N(0, I). One given: 0 for the other.
        prior_logvar: log-variance of the prior; broadcasts.
        batch_ndim: leading dimensions of the broadcast result to keep.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> gaussian_kl(torch.ones(2, 3), torch.zeros(2, 3))
        tensor([1.5000, 1.5000])
    """
    prior = _prior(prior_mean, prior_logvar, mean)
    op = ops.gaussian_kl.default if prior else ops.gaussian_kl_standard.default
    return op(mean, logvar, *prior, batch_ndim)  # type: ignore[no-any-return]


def _prior(mean: Tensor | None, logvar: Tensor | None, like: Tensor) -> tuple[Tensor, ...]:
    """Mean and log-variance of a prior, 0 where one is missing; nothing for N(0, I)."""
    if mean is None and logvar is None:
        return ()
    return tuple(number(0.0, like) if t is None else t for t in (mean, logvar))


def gaussian_rsample_kl(
    mean: Tensor,
    logvar: Tensor,
    *,
    batch_ndim: int = 1,
    generator: Generator | None = None,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A sample and its KL to N(0, I), in one pass over the parameters.

    Args:
        mean: ``(*batch, *event)``.
        logvar: log-variance, broadcastable to the shape of ``mean``.
        batch_ndim: leading dimensions to keep in the KL.
        generator: as in :func:`gaussian_rsample`.
        seed: as in :func:`gaussian_rsample`.

    Returns:
        z of the shape of ``mean``, and the KL of shape ``(*batch,)`` in nats.

    Example:
        >>> import torch
        >>> z, kl = gaussian_rsample_kl(torch.zeros(2, 3), torch.zeros(2, 3))
        >>> z.shape, kl
        (torch.Size([2, 3]), tensor([0., 0.]))
    """
    noise = draw_seed("gaussian_rsample_kl", mean, generator, seed)
    return ops.gaussian_rsample_kl.default(mean, logvar, noise, None, batch_ndim)  # type: ignore[no-any-return]


def gaussian_rsample_log_ratio(
    mean: Tensor,
    logvar: Tensor,
    num_samples: int,
    prior_mean: Tensor | None = None,
    prior_logvar: Tensor | None = None,
    *,
    path_derivative: bool = False,
    batch_ndim: int = 1,
    generator: Generator | None = None,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """K samples and the log p(z) - log q(z|x) of each in one pass, as importance weights need.

    Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016, equation 8: the bound
    is ``logsumexp(log_ratio + log_likelihood, 0) - log K``.

    Args:
        mean: of q(z|x), ``(*batch, *event)``; it is not expanded to K copies.
        logvar: log-variance of q(z|x), broadcastable to the shape of ``mean``.
        num_samples: K.
        prior_mean: of p(z); broadcasts. Neither given: N(0, I). One given: 0 for the other.
        prior_logvar: log-variance of p(z); broadcasts.
        path_derivative: leave out the score of q, as the STL (Roeder, Wu and Duvenaud, 2017) and
            DReG (Tucker et al., 2019) estimators do: log q is differentiated through z alone.
        batch_ndim: leading dimensions of ``mean`` to keep.
        generator: as in :func:`gaussian_rsample`.
        seed: as in :func:`gaussian_rsample`.

    Returns:
        z of shape ``(K, *mean.shape)``, and the log-ratio of shape ``(K, *batch)`` in nats.

    Example:
        >>> import torch
        >>> z, log_ratio = gaussian_rsample_log_ratio(torch.zeros(2, 3), torch.zeros(2, 3), 5)
        >>> z.shape, log_ratio.shape
        (torch.Size([5, 2, 3]), torch.Size([5, 2]))
        >>> bool(log_ratio.abs().max() < 1e-5)  # q equals p
        True
    """
    op = "gaussian_rsample_log_ratio"
    if num_samples < 0:
        raise ValueError(f"{op}: num_samples must not be negative, got {num_samples}")
    noise = draw_seed(op, mean, generator, seed)
    prior = _prior(prior_mean, prior_logvar, mean)
    name = f"{op}{'' if prior else '_standard'}{'_path' if path_derivative else ''}"
    mean, shape = repeated(mean, (num_samples,))
    return getattr(ops, name).default(mean, logvar, *prior, noise, shape, batch_ndim + 1)  # type: ignore[no-any-return]


def gaussian_log_prob(
    x: Tensor,
    mean: Tensor,
    logvar: Tensor | float | None = None,
    *,
    scale: Tensor | float | None = None,
    mask: Tensor | None = None,
    batch_ndim: int = 1,
    inplace: bool = False,
) -> Tensor:
    """log N(x; mean, exp(logvar)) in nats, per sample.

    -1/2 sum [log 2 pi + logvar + (x - mean)^2 exp(-logvar)]; with the constant, so that a variance
    can be learned (Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
    calibrated decoders", 2021). A squared error is the density of a fixed variance:
    ``mse_loss(mean, x, reduction="sum")`` is minus the sum of this for ``logvar=-log(2)``, less
    log(pi) / 2 for each element; half of it is that for ``logvar=0``, less log(2 pi) / 2.

    Args:
        x: ``(*batch, *event)``; bool and integers count as numbers.
        mean: the same event shape; batch dimensions may be missing or 1.
        logvar: log-variance: a number, or any tensor that broadcasts, such as a learned scalar;
            0 if neither this nor ``scale`` is given.
        scale: standard deviation in the place of the log-variance: see :func:`scale_to_logvar`.
        mask: bool, True where x is observed: see :func:`bernoulli_log_prob`.
        batch_ndim: leading dimensions of the broadcast result to keep.
        inplace: let the gradient of ``mean`` take its storage; see :func:`bernoulli_log_prob`.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> import torch
        >>> gaussian_log_prob(torch.zeros(2, 3), torch.zeros(2, 3))
        tensor([-2.7568, -2.7568])
    """
    name = "gaussian_log_prob"
    op = (
        ops.gaussian_log_prob_inplace.default if allowed(inplace) else ops.gaussian_log_prob.default
    )
    if scale is None:
        logvar = number(0.0 if logvar is None else logvar, mean)
        return log_prob(op, x, mean, logvar, batch_ndim=batch_ndim, mask=mask, name=name)
    one_of(name, logvar=logvar, scale=scale)

    def of_scale(x: Tensor, mean: Tensor, scale: Tensor, batch_ndim: int) -> Tensor:
        return op(x, mean, scale_to_logvar(scale), batch_ndim)  # type: ignore[no-any-return]

    if not isinstance(scale, Tensor):
        spread = number(scale_to_logvar(scale), mean)
        return log_prob(op, x, mean, spread, batch_ndim=batch_ndim, mask=mask, name=name)
    return log_prob(of_scale, x, mean, scale, batch_ndim=batch_ndim, mask=mask, name=name)
