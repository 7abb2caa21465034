"""The ops under ``torch.vmap``: a mapped dimension is one more batch dimension in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

Dims = int | None


def _ops(space: str, name: str) -> tuple[Any, Any]:
    """An op and its backward."""
    ops = getattr(torch.ops, space)
    return getattr(ops, name).default, getattr(ops, f"{name}_backward").default


def _register(space: str, name: str, forward: Any, gradient: Any) -> None:
    torch.library.register_vmap(f"{space}::{name}", forward)
    torch.library.register_vmap(f"{space}::{name}_backward", gradient)
    if hasattr(getattr(torch.ops, space), f"{name}_inplace"):  # a permission not used here
        torch.library.register_vmap(f"{space}::{name}_inplace", forward)


def _has_batch_ndim(op: Any) -> bool:
    return any(argument.name == "batch_ndim" for argument in op._schema.arguments)


def _front(t: Tensor | None, dim: Dims, ndim: int, size: int | None = None) -> Tensor | None:
    """``t`` with its mapped dimension first and singleton dimensions up to ``ndim`` behind it.

    With ``size``, a tensor that is not mapped is expanded to that many; else it stays as it is.
    """
    if t is None or (dim is None and size is None):
        return t
    t = t.movedim(dim, 0) if dim is not None else t.unsqueeze(0)
    t = t.reshape(t.shape[0], *[1] * (ndim + 1 - t.ndim), *t.shape[1:])
    return t.expand(size, *t.shape[1:]) if dim is None and size is not None else t


def _own_shape(t: Tensor, dim: Dims) -> list[int]:
    """The shape without the mapped dimension."""
    shape = list(t.shape)
    if dim is not None:
        shape.pop(dim)
    return shape


def _logical_ndim(
    tensors: Sequence[Tensor | None], dims: Sequence[Dims], inner: Sequence[int] = ()
) -> int:
    inner = inner or [0] * len(tensors)
    return max(
        t.ndim - (d is not None) - i
        for t, d, i in zip(tensors, dims, inner, strict=True)
        if t is not None
    )


def _value_rules(
    space: str, name: str, operands: int, options: int = 0, inner: Sequence[int] = ()
) -> None:
    """Ops of the form op(*operands, *options, batch_ndim) -> value.

    ``inner``: how many dimensions each operand has behind those that it shares with the others.
    """
    op, backward = _ops(space, name)
    inner = inner or [0] * operands

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Tensor, int]:
        # The dispatcher leaves out trailing arguments that are at their defaults.
        missing = [None] * max(0, operands - len(args))
        tensors, dims = [*args[:operands], *missing], (*dims[:operands], *missing)
        rest = args[operands:]
        batch_ndim = rest[options] if len(rest) > options else 1
        ndim = _logical_ndim(tensors, dims, inner)
        front = [_front(t, d, ndim + i) for t, d, i in zip(tensors, dims, inner, strict=True)]
        return op(*front, *rest[:options], batch_ndim + 1), 0

    def gradient(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
        grad, tensors, rest = args[0], args[1 : operands + 1], args[operands + 1 : -2]
        batch_ndim, mask = args[-2:]
        of_tensors = dims[1 : operands + 1]
        ndim = _logical_ndim(tensors, of_tensors, inner)
        size = info.batch_size
        front = [
            _front(t, d, ndim + i, size if m else None)
            for t, d, i, m in zip(tensors, of_tensors, inner, mask, strict=True)
        ]
        grad = _front(grad, dims[0], batch_ndim, size)
        found = backward(grad, *front, *rest, batch_ndim + 1, mask)
        return _own_shapes(found, tensors, of_tensors, size)

    _register(space, name, forward, gradient)


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
        out.append(g.reshape(size, *_own_shape(t, d)))
    return tuple(out), tuple(None if g is None else 0 for g in out)


class _Streams:
    """A mapped sample: its shape, and one stream of noise for each index in front.

    Where the seed has streams already (vmap in vmap) both dimensions become one.
    """

    def __init__(self, size: int, seed: Tensor, dim: Dims, shape: Sequence[int]) -> None:
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
        return self.merge(_front(t, dim, self.ndim, self.size))

    def merge(self, t: Tensor | None) -> Tensor | None:
        """Both dimensions of streams as one."""
        if t is None or not self.nested:
            return t
        return t.expand(self.size, self.shape[0], *t.shape[2:]).flatten(0, 1)

    def batch_ndim(self, given: Sequence[int]) -> list[int]:
        """That of the mapped call, where the op has one."""
        return [n + 1 - self.nested for n in given]

    @property
    def full(self) -> list[int]:
        return [self.streams, *(self.shape[1:] if self.nested else self.shape)]

    def back(self, t: Tensor) -> Tensor:
        return t.unflatten(0, (self.size, self.shape[0])) if self.nested else t

    def grad(self, g: Tensor | None, t: Tensor, dim: Dims) -> Tensor | None:
        """The gradient of an operand, summed over what it was broadcast along."""
        if g is None:
            return None
        shape = _own_shape(t, dim)
        g = self.back(g)
        return g.sum_to_size(self.size, *[1] * (self.ndim - len(shape)), *shape).reshape(
            self.size, *shape
        )


def _sample_rules(space: str, name: str, n: int) -> None:
    """Ops of the form op(*operands, seed, shape=None[, batch_ndim=1]) -> z[, value]."""
    op, backward = _ops(space, name)

    def streams(info: Any, dims: Sequence[Dims], args: Sequence[Any]) -> _Streams:
        shape = _own_shape(args[0], dims[0]) if args[n + 1] is None else args[n + 1]
        return _Streams(info.batch_size, args[n], dims[n], shape)

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
        args = (*args, *(None, 1)[len(args) - n - 1 :])  # left out where they are at their defaults
        args = args if _has_batch_ndim(op) else args[: n + 2]
        s = streams(info, dims, args)
        operands = [s.front(args[i], dims[i]) for i in range(n)]
        out = op(*operands, s.seed, s.full, *s.batch_ndim(args[n + 2 :]))
        if isinstance(out, Tensor):
            return s.back(out), 0
        return tuple(map(s.back, out)), (0,) * len(out)

    def gradient(info: Any, all_dims: tuple[Dims, ...], *given: Any) -> tuple[Any, Any]:
        k = len(op._schema.returns)
        grads, args, mask = given[:k], given[k:-1], given[-1]
        dims = all_dims[k:-1]
        s = streams(info, dims, args)
        ndims = (s.ndim, *args[n + 2 :])
        front = [
            s.merge(_front(g, d, ndim, info.batch_size))
            for g, d, ndim in zip(grads, all_dims, ndims, strict=False)
        ]
        operands = [s.front(args[i], dims[i]) for i in range(n)]
        found = backward(*front, *operands, s.seed, s.full, *s.batch_ndim(args[n + 2 :]), mask)
        out = (*(s.grad(found[i], args[i], dims[i]) for i in range(n)), None)
        return out, tuple(None if g is None else 0 for g in out)

    _register(space, name, forward, gradient)


def _rank1_rules(space: str, name: str) -> None:
    """op(mean, log_precision, u, seed, batch_ndim) -> z, kl, with z of the mean's shape."""
    op, backward = _ops(space, name)
    n = 3

    def streams(info: Any, dims: Sequence[Dims], args: Sequence[Any]) -> _Streams:
        return _Streams(info.batch_size, args[n], dims[n], _own_shape(args[0], dims[0]))

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Any, Any]:
        s = streams(info, dims, args)
        operands = [s.front(args[i], dims[i]) for i in range(n)]
        z, kl = op(*operands, s.seed, *s.batch_ndim((*args, 1)[n + 1 : n + 2]))
        return (s.back(z), s.back(kl)), (0, 0)

    def gradient(info: Any, all_dims: tuple[Dims, ...], *given: Any) -> tuple[Any, Any]:
        grad_z, grad_kl, args, mask = given[0], given[1], given[2:-1], given[-1]
        dims, batch_ndim = all_dims[2:-1], args[n + 1]
        s = streams(info, dims, args)
        front_z = s.merge(_front(grad_z, all_dims[0], s.ndim, info.batch_size))
        front_kl = s.merge(_front(grad_kl, all_dims[1], batch_ndim, info.batch_size))
        operands = [s.front(args[i], dims[i]) for i in range(n)]
        found = backward(front_z, front_kl, *operands, s.seed, *s.batch_ndim((batch_ndim,)), mask)
        out = (*(s.grad(found[i], args[i], dims[i]) for i in range(n)), None)
        return out, tuple(None if g is None else 0 for g in out)

    _register(space, name, forward, gradient)


def _elbo_rules(space: str, name: str, likelihood: str, n: int) -> None:
    """A mapped loss is put together from the mapped ops: one loss for each index in front.

    Its arguments are n operands of the likelihood, mean, logvar, beta and the reduction.
    """
    log_prob, log_prob_backward = _ops(space, likelihood)
    gaussian_kl, gaussian_kl_backward = _ops(space, "gaussian_kl_standard")

    def fronts(dims: Sequence[Dims], args: Sequence[Any], size: int) -> tuple[list[Any], list[Any]]:
        decoded = _logical_ndim(args[:n], dims[:n])
        latent = _logical_ndim(args[n : n + 2], dims[n : n + 2])
        first = [_front(t, d, decoded, size) for t, d in zip(args[:n], dims[:n], strict=True)]
        return first, [_front(args[i], dims[i], latent, size) for i in (n, n + 1)]

    def forward(info: Any, dims: tuple[Dims, ...], *args: Any) -> tuple[Tensor, int]:
        operands, latent = fronts(dims, args, info.batch_size)
        beta = _front(args[n + 2], dims[n + 2], 1, info.batch_size)
        kl = gaussian_kl(*latent, 2)
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
        of_kl = gaussian_kl_backward(weighted, *latent, 2, mask[n : n + 2])
        of_beta = None
        if mask[n + 2]:
            of_beta = (gaussian_kl(*latent, 2) * g).sum(1).to(args[n + 2].dtype)
        return _own_shapes([*found, *of_kl[:2], of_beta], args[: n + 3], dims[: n + 3], size)

    _register(space, name, forward, gradient)


def _looped(space: str, name: str) -> None:
    """One call for each index: neither pairs nor means run over the mapped dimension."""
    _register(space, name, *map(_loop, _ops(space, name)))


def _loop(op: Any) -> Any:
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
        if isinstance(calls[0], Tensor):
            return torch.stack(calls), 0
        out = [None if r[0] is None else torch.stack(r) for r in zip(*calls, strict=True)]
        return tuple(out), tuple(None if t is None else 0 for t in out)

    return rule


#: Ops whose arguments say more than operands, noise and batch_ndim.
_OWN_RULES: dict[str, Callable[[str, str], None]] = {
    "pyvae::gaussian_mixture_log_prob": _looped,
    "pyvae::mmd": _looped,
    "pyvae::negative_elbo": _looped,
    "pyvae::rank1_gaussian_rsample_kl": _rank1_rules,
    "pyvae::discretized_logistic_mixture_log_prob": partial(_value_rules, operands=2, options=1),
    "pyvae::categorical_log_prob": partial(_value_rules, operands=2, inner=(0, 1)),
    "pyvae::bernoulli_elbo_loss": partial(_elbo_rules, likelihood="bernoulli_log_prob", n=2),
    "pyvae::gaussian_elbo_loss": partial(_elbo_rules, likelihood="gaussian_log_prob", n=3),
}


def add_rules(space: str, name: str) -> None:
    """The rule of an op and of its backward, by what its schema says."""
    if own := _OWN_RULES.get(f"{space}::{name}"):
        return own(space, name)
    names = [argument.name for argument in _ops(space, name)[0]._schema.arguments]
    if "seed" in names:
        _sample_rules(space, name, names.index("seed"))
    else:
        _value_rules(space, name, names.index("batch_ndim"))
