"""The ops: what to call instead of the forty lines everyone rewrites.

Parameters have shape ``(*batch, *event)``. ``batch_ndim`` counts the leading dimensions of the
broadcast result that are kept; the others are summed. float32, float64, bfloat16 and float16 may be
mixed; data may be bool or uint8 as well. Values come back in float32 at least. A wrong shape raises
ValueError, a wrong dtype TypeError, each naming op, argument, what was expected and what came.

Noise is drawn under ``torch.manual_seed``, an explicit ``generator``, or ``seed``: an int64 tensor
on the parameters' device, the same value of which always gives the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from . import _library as _library  # loads the ops

_ops = torch.ops.pyvae
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _seed(op: str, like: Tensor, generator: Generator | None, seed: Tensor | None) -> Tensor:
    if seed is not None:
        if generator is not None:
            raise ValueError(f"{op}: pass generator or seed, not both")
        if not isinstance(seed, Tensor):
            raise TypeError(f"{op}: seed must be an int64 tensor, got {type(seed).__name__}")
        return seed
    if generator is not None and torch.compiler.is_compiling():
        raise RuntimeError(
            f"{op}: torch.compile cannot trace an explicit generator; draw a seed from it outside "
            "(torch.randint(2**62, (), generator=generator)) and pass it as seed="
        )
    return torch.randint(-(2**63), 2**63 - 1, (), generator=generator, device=like.device)


def _number(value: Tensor | float, like: Tensor) -> Tensor:
    """A number as a tensor the kernels take, in no less than their precision."""
    if isinstance(value, Tensor):
        return value
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    if torch.compiler.is_compiling():  # a full() would compile again for each value
        return torch.ones((), dtype=dtype, device=like.device) * value
    return torch.full((), value, dtype=dtype, device=like.device)


def _allowed(inplace: bool) -> bool:
    """torch.compile plans memory itself and would have to undo an overwritten argument."""
    return inplace and not torch.compiler.is_compiling()


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
        >>> mean, logvar = torch.zeros(2, 3), torch.zeros(2, 3)
        >>> gaussian_rsample(mean, logvar, sample_shape=(5,)).shape
        torch.Size([5, 2, 3])
        >>> seed = torch.tensor(7)
        >>> first, again = (gaussian_rsample(mean, logvar, seed=seed) for _ in range(2))
        >>> torch.equal(first, again)
        True
    """
    noise = _seed("gaussian_rsample", mean, generator, seed)
    return _ops.gaussian_rsample.default(mean, logvar, noise, (*sample_shape, *mean.shape))  # type: ignore[no-any-return]


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
        >>> gaussian_kl(torch.ones(2, 3), torch.zeros(2, 3))
        tensor([1.5000, 1.5000])
    """
    return _ops.gaussian_kl.default(mean, logvar, prior_mean, prior_logvar, batch_ndim)  # type: ignore[no-any-return]


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
        >>> z, kl = gaussian_rsample_kl(torch.zeros(2, 3), torch.zeros(2, 3))
        >>> z.shape, kl
        (torch.Size([2, 3]), tensor([0., 0.]))
    """
    noise = _seed("gaussian_rsample_kl", mean, generator, seed)
    return _ops.gaussian_rsample_kl.default(mean, logvar, noise, batch_ndim)  # type: ignore[no-any-return]


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
        >>> z, log_ratio = gaussian_rsample_log_ratio(torch.zeros(2, 3), torch.zeros(2, 3), 5)
        >>> z.shape, log_ratio.shape
        (torch.Size([5, 2, 3]), torch.Size([5, 2]))
        >>> bool(log_ratio.abs().max() < 1e-5)  # q equals p
        True
    """
    op = "gaussian_rsample_log_ratio"
    if num_samples < 0:
        raise ValueError(f"{op}: num_samples must not be negative, got {num_samples}")
    noise = _seed(op, mean, generator, seed)
    return _ops.gaussian_rsample_log_ratio.default(  # type: ignore[no-any-return]
        mean, logvar, prior_mean, prior_logvar, noise, num_samples, path_derivative, batch_ndim
    )


def gaussian_log_prob(
    x: Tensor,
    mean: Tensor,
    logvar: Tensor | float = 0.0,
    *,
    batch_ndim: int = 1,
    inplace: bool = False,
) -> Tensor:
    """log N(x; mean, exp(logvar)) in nats, per sample.

    -1/2 sum [log 2 pi + logvar + (x - mean)^2 exp(-logvar)]; with the constant, so that a variance
    can be learned (Rybkin, Daniilidis and Levine, "Simple and effective VAE training with
    calibrated decoders", 2021).

    Args:
        x: ``(*batch, *event)``; bool and uint8 count as numbers.
        mean: the same event shape; batch dimensions may be missing or 1.
        logvar: log-variance: a number, or any tensor that broadcasts, such as a learned scalar.
        batch_ndim: leading dimensions of the broadcast result to keep.
        inplace: let the gradient of ``mean`` take its storage; see :func:`bernoulli_log_prob`.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> gaussian_log_prob(torch.zeros(2, 3), torch.zeros(2, 3))
        tensor([-2.7568, -2.7568])
    """
    op = (
        _ops.gaussian_log_prob_inplace.default
        if _allowed(inplace)
        else _ops.gaussian_log_prob.default
    )
    return op(x, mean, _number(logvar, mean), batch_ndim)  # type: ignore[no-any-return]


def bernoulli_log_prob(
    x: Tensor, logits: Tensor, *, batch_ndim: int = 1, inplace: bool = False
) -> Tensor:
    """log p(x) = sum x l - log(1 + exp(l)) in nats, per sample, from logits l.

    Kingma and Welling, 2014, appendix C.1. Exact for logits of any size: no probability is formed
    or clamped.

    Args:
        x: ``(*batch, *event)`` in [0, 1]; bool and uint8 0/1 too.
        logits: the same event shape; batch dimensions may be missing or 1.
        batch_ndim: leading dimensions of the broadcast result to keep.
        inplace: let the gradient of ``logits`` take its storage, which saves a buffer and its page
            faults. Only for logits that nothing else uses, such as the output of a last linear
            layer: any later or other use of them that needs a gradient raises in the backward, and
            so does a second backward. A permission: ignored without gradients, under torch.compile
            and torch.func, and where the gradient has another shape or a 16-bit dtype. A leaf that
            requires grad raises ValueError.

    Returns:
        ``(*batch,)``, float32 at least.

    Example:
        >>> bernoulli_log_prob(torch.tensor([[True, False]]), torch.zeros(1, 2))
        tensor([-1.3863])
    """
    op = (
        _ops.bernoulli_log_prob_inplace.default
        if _allowed(inplace)
        else _ops.bernoulli_log_prob.default
    )
    return op(x, logits, batch_ndim)  # type: ignore[no-any-return]


def elbo_loss(
    x: Tensor,
    decoded: Tensor | tuple[Tensor, Tensor | float],
    mean: Tensor,
    logvar: Tensor,
    *,
    likelihood: str = "bernoulli",
    beta: Tensor | float = 1.0,
    reduction: str = "mean",
    inplace: bool = False,
) -> Tensor:
    """The negative ELBO, beta KL(q(z|x) || N(0, I)) - log p(x|z): minimise it.

    Kingma and Welling, 2014, equation 10 with one sample; beta as in Higgins et al., "beta-VAE",
    2017. Summed over the event, averaged over the batch, with no hidden weight. Where gradients are
    wanted they are made in the same pass as the value.

    Args:
        x: data, ``(B, *event)``.
        decoded: logits ("bernoulli"), or mean or ``(mean, logvar)`` ("gaussian"; a lone mean has
            variance 1), of the same event shape as ``x``.
        mean: of q(z|x), ``(B, *latent)``.
        logvar: log-variance of q(z|x).
        likelihood: "bernoulli" or "gaussian".
        beta: weight of the KL, a number or a scalar tensor (no recompilation when it changes).
        reduction: "mean" or "sum" over the batch, or "none" for ``(B,)``.
        inplace: let the gradient of the logits (or of the decoded mean) take their storage; see
            :func:`bernoulli_log_prob`. Ignored for reduction "none".

    Returns:
        The loss in nats: a scalar, or ``(B,)``.

    Example:
        >>> x, logits = torch.ones(4, 784), torch.zeros(4, 784)
        >>> elbo_loss(x, logits, torch.zeros(4, 20), torch.zeros(4, 20))
        tensor(543.4274)
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"elbo_loss: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    weight = None if isinstance(beta, (int, float)) and beta == 1 else _number(beta, mean)
    how = _REDUCTIONS[reduction]
    if likelihood == "bernoulli":
        if not isinstance(decoded, Tensor):
            raise TypeError(
                "elbo_loss: decoded must be the logits for likelihood 'bernoulli', got "
                f"{type(decoded).__name__}"
            )
        op = (
            _ops.bernoulli_elbo_loss_inplace.default
            if _allowed(inplace)
            else _ops.bernoulli_elbo_loss.default
        )
        return op(x, decoded, mean, logvar, weight, how)  # type: ignore[no-any-return]
    if likelihood == "gaussian":
        pair = (decoded, 0.0) if isinstance(decoded, Tensor) else decoded
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                "elbo_loss: decoded must be a mean or (mean, logvar) for likelihood 'gaussian', "
                f"got {type(decoded).__name__}"
            )
        x_logvar = _number(pair[1], pair[0])
        op = (
            _ops.gaussian_elbo_loss_inplace.default
            if _allowed(inplace)
            else _ops.gaussian_elbo_loss.default
        )
        return op(x, pair[0], x_logvar, mean, logvar, weight, how)  # type: ignore[no-any-return]
    raise ValueError(
        f"elbo_loss: likelihood must be 'bernoulli' or 'gaussian', got {likelihood!r}; for others "
        "combine gaussian_kl with their log_prob"
    )
