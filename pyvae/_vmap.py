"""The ops under ``torch.vmap``: a mapped dimension is one more batch dimension in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

ops = torch.ops.pyvae
Dims = int | None


def _front(t: Tensor | None, dim: Dims, ndim: int, size: int | None = None) -> Tensor | None:
    """``t`` with its mapped dimension first and singleton dimensions up to ``ndim`` behind it.

    With ``size``, a tensor that is not mapped is expanded to that many; else it stays as it is.
    """
    if t is None or (dim is None and size is None):
        return t
    t = t.movedim(dim, 0) if dim is not None else t.unsqueeze(0)
    t = t.reshape(t.shape[0], *[1] * (ndim + 1 - t.ndim), *t.shape[1:])
    return t.expand(size, *t.shape[1:]) if dim is None and size is not None else t


def _logical_ndim(tensors: Sequence[Tensor | None], dims: Sequence[Dims]) -> int:
    return max(
        t.ndim - (d is not None) for t, d in zip(tensors, dims, strict=True) if t is not None
    )


def _value_rules(name: str, operands: int, inplace: bool = False) -> None:
    """Ops of the form op(*operands, batch_ndim) -> value."""
    op, backward = getattr(ops, name), getattr(ops, f"{name}_backward")

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Tensor, int]:
        # The dispatcher leaves out trailing arguments that are at their defaults.
        missing = [None] * max(0, operands - len(args))
        tensors, dims = [*args[:operands], *missing], (*dims[:operands], *missing)
        batch_ndim = args[operands] if len(args) > operands else 1
        ndim = _logical_ndim(tensors, dims)
        front = [_front(t, d, ndim) for t, d in zip(tensors, dims, strict=True)]
        return op(*front, batch_ndim + 1), 0

    def gradient(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
        grad, tensors, batch_ndim, mask = args[0], args[1:-2], args[-2], args[-1]
        ndim = _logical_ndim(tensors, dims[1:-2])
        size = info.batch_size
        front = [
            _front(t, d, ndim, size if m else None)
            for t, d, m in zip(tensors, dims[1:-2], mask, strict=True)
        ]
        grad = _front(grad, dims[0], batch_ndim, size)
        found = backward(grad, *front, batch_ndim + 1, mask)
        return _own_shapes(found, tensors, dims[1:-2], size)

    torch.library.register_vmap(f"pyvae::{name}", forward)
    torch.library.register_vmap(f"pyvae::{name}_backward", gradient)
    if inplace:  # a permission that is not used here
        torch.library.register_vmap(f"pyvae::{name}_inplace", forward)


def _own_shapes(
    grads: Sequence[Tensor | None],
    tensors: Sequence[Tensor | None],
    dims: Sequence[Dims],
    size: int,
) -> tuple[Any, Any]:
    """Gradients without the singleton dimensions that the alignment put in."""
    out: list[Tensor | None] = []
    for g, t, d in zip(grads, tensors, dims, strict=True):
        if g is None or t is None:
            out.append(None)
            continue
        shape = list(t.shape)
        if d is not None:
            shape.pop(d)
        out.append(g.reshape(size, *shape))
    return tuple(out), tuple(None if g is None else 0 for g in out)


class _Streams:
    """A mapped sample: its shape, and one stream of noise for each index in front.

    Where the seed has streams already (vmap in vmap) both dimensions become one.
    """

    def __init__(
        self, size: int, seed: Tensor, dim: Dims, mean: Tensor, mean_dim: Dims, shape: Sequence[int]
    ) -> None:
        self.size, self.shape, self.ndim = size, list(shape), len(shape)
        inner = seed.ndim - (dim is not None)
        seeds = _front(seed, dim, inner, size)
        assert seeds is not None
        self.nested = inner == 1
        self.seed = seeds.flatten()
        self.streams = self.seed.shape[0]

    def front(self, t: Tensor | None, dim: Dims) -> Tensor | None:
        """An operand of the sample."""
        if t is None:
            return None
        out = _front(t, dim, self.ndim, self.size)
        assert out is not None
        if self.nested:
            out = out.expand(self.size, self.shape[0], *out.shape[2:]).flatten(0, 1)
        return out

    @property
    def full(self) -> list[int]:
        return [self.streams, *(self.shape[1:] if self.nested else self.shape)]

    def back(self, t: Tensor) -> Tensor:
        return t.unflatten(0, (self.size, self.shape[0])) if self.nested else t

    def grad(self, g: Tensor | None, t: Tensor, dim: Dims) -> Tensor | None:
        """The gradient of an operand, summed over what it was broadcast along."""
        if g is None:
            return None
        shape = list(t.shape)
        if dim is not None:
            shape.pop(dim)
        g = self.back(g)
        return g.sum_to_size(self.size, *[1] * (self.ndim - len(shape)), *shape).reshape(
            self.size, *shape
        )


def _rsample(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Tensor, int]:
    mean, logvar, seed, shape = args
    s = _Streams(info.batch_size, seed, dims[2], mean, dims[0], shape)
    z = ops.gaussian_rsample(s.front(mean, dims[0]), s.front(logvar, dims[1]), s.seed, s.full)
    return s.back(z), 0


def _rsample_backward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
    grad, mean, logvar, seed, shape, mask = args
    s = _Streams(info.batch_size, seed, dims[3], mean, dims[1], shape)
    grads = ops.gaussian_rsample_backward(
        s.front(grad, dims[0]),
        s.front(mean, dims[1]),
        s.front(logvar, dims[2]),
        s.seed,
        s.full,
        mask,
    )
    out = (s.grad(grads[0], mean, dims[1]), s.grad(grads[1], logvar, dims[2]), None)
    return out, tuple(None if g is None else 0 for g in out)


def _rsample_kl(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
    mean, logvar, seed, batch_ndim = args if len(args) == 4 else (*args, 1)
    shape = list(mean.shape)
    if dims[0] is not None:
        shape.pop(dims[0])
    s = _Streams(info.batch_size, seed, dims[2], mean, dims[0], shape)
    z, kl = ops.gaussian_rsample_kl(
        s.front(mean, dims[0]), s.front(logvar, dims[1]), s.seed, batch_ndim + 1 - s.nested
    )
    return (s.back(z), s.back(kl)), (0, 0)


def _rsample_kl_backward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
    grad_z, grad_kl, mean, logvar, seed, batch_ndim, mask = args
    shape = list(mean.shape)
    if dims[2] is not None:
        shape.pop(dims[2])
    s = _Streams(info.batch_size, seed, dims[4], mean, dims[2], shape)
    grad_kl = _front(grad_kl, dims[1], batch_ndim, info.batch_size)
    if grad_kl is not None and s.nested:
        grad_kl = grad_kl.flatten(0, 1)
    grads = ops.gaussian_rsample_kl_backward(
        s.front(grad_z, dims[0]),
        grad_kl,
        s.front(mean, dims[2]),
        s.front(logvar, dims[3]),
        s.seed,
        batch_ndim + 1 - s.nested,
        mask,
    )
    out = (s.grad(grads[0], mean, dims[2]), s.grad(grads[1], logvar, dims[3]), None)
    return out, tuple(None if g is None else 0 for g in out)


def _elbo_rules(name: str, likelihood: str, n: int) -> None:
    """A mapped loss is put together from the mapped ops: one loss for each index in front.

    Its arguments are n operands of the likelihood, mean, logvar, beta and the reduction.
    """
    log_prob, log_prob_backward = getattr(ops, likelihood), getattr(ops, f"{likelihood}_backward")

    def fronts(dims: Sequence[Dims], args: Sequence[Any], size: int) -> tuple[list[Any], list[Any]]:
        decoded = _logical_ndim(args[:n], dims[:n])
        latent = _logical_ndim(args[n : n + 2], dims[n : n + 2])
        first = [_front(t, d, decoded, size) for t, d in zip(args[:n], dims[:n], strict=True)]
        return first, [_front(args[i], dims[i], latent, size) for i in (n, n + 1)]

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Tensor, int]:
        operands, latent = fronts(dims, args, info.batch_size)
        beta = _front(args[n + 2], dims[n + 2], 1, info.batch_size)
        kl = ops.gaussian_kl(*latent, None, None, 2)
        loss = (kl if beta is None else beta * kl) - log_prob(*operands, 2)
        reduction = args[n + 3]
        return (loss if reduction == 0 else loss.mean(1) if reduction == 1 else loss.sum(1)), 0

    def gradient(info: Any, dims: tuple[Dims, ...], *given: Any) -> tuple[Any, Any]:
        grad, args, mask = given[0], given[1:-1], given[-1]
        grad_dim, dims, size = dims[0], dims[1:-1], info.batch_size
        operands, latent = fronts(dims, args, size)
        beta, reduction = _front(args[n + 2], dims[n + 2], 1, size), args[n + 3]
        batch = latent[0].shape[1]
        g = _front(grad, grad_dim, 1, size)
        assert g is not None
        g = (g / batch if reduction == 1 else g).expand(size, batch)
        weighted = g if beta is None else g * beta
        found = log_prob_backward(-g, *operands, 2, mask[:n])
        of_kl = ops.gaussian_kl_backward(
            weighted, *latent, None, None, 2, [*mask[n : n + 2], False, False]
        )
        of_beta = None
        if mask[n + 2]:
            of_beta = (ops.gaussian_kl(*latent, None, None, 2) * g).sum(1).to(args[n + 2].dtype)
        return _own_shapes([*found, *of_kl[:2], of_beta], args[: n + 3], dims[: n + 3], size)

    torch.library.register_vmap(f"pyvae::{name}", forward)
    torch.library.register_vmap(f"pyvae::{name}_inplace", forward)
    torch.library.register_vmap(f"pyvae::{name}_backward", gradient)


def _looped(name: str) -> None:
    """One call for each index: noise streams run over samples, not over the mapped dimension."""
    op = getattr(ops, name)

    def rule(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
        dims = (*dims, *[None] * (len(args) - len(dims)))
        calls = [
            op(
                *[
                    a.select(d, i) if isinstance(d, int) else a
                    for a, d in zip(args, dims, strict=True)
                ]
            )
            for i in range(info.batch_size)
        ]
        out = [None if r[0] is None else torch.stack(r) for r in zip(*calls, strict=True)]
        return tuple(out), tuple(None if t is None else 0 for t in out)

    torch.library.register_vmap(f"pyvae::{name}", rule)


_looped("gaussian_rsample_log_ratio")
_looped("gaussian_rsample_log_ratio_backward")
_value_rules("gaussian_kl", 4)
_value_rules("gaussian_log_prob", 3, inplace=True)
_value_rules("bernoulli_log_prob", 2, inplace=True)
_value_rules("continuous_bernoulli_log_prob", 2)
_value_rules("laplace_log_prob", 3)
_value_rules("discretized_logistic_log_prob", 3)
_value_rules("poisson_log_prob", 2)
_value_rules("negative_binomial_log_prob", 3)
_value_rules("zero_inflated_negative_binomial_log_prob", 4)
torch.library.register_vmap("pyvae::gaussian_rsample", _rsample)
torch.library.register_vmap("pyvae::gaussian_rsample_backward", _rsample_backward)
torch.library.register_vmap("pyvae::gaussian_rsample_kl", _rsample_kl)
torch.library.register_vmap("pyvae::gaussian_rsample_kl_backward", _rsample_kl_backward)
_elbo_rules("bernoulli_elbo_loss", "bernoulli_log_prob", 2)
_elbo_rules("gaussian_elbo_loss", "gaussian_log_prob", 3)
