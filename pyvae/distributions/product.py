"""Columns of several kinds side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from pyvae.distributions.base import OpDistribution, check_event
from pyvae.distributions.masked import observed

__all__ = ["Product"]


class Product(OpDistribution):
    r"""Vectors of which some elements have one distribution, others another, independently.

    .. math:: \log p(x) = \sum_g \log p_g(x_g)

    A row of a table: numbers, categories (as whole numbers), counts.

    Args:
        parts: distributions of one batch shape over vectors (d,)
        columns: which elements of the whole each of them is about, int64 (d,); default: one part
            after the other

    Raises:
        ValueError: no part, other shapes, or columns that are not each element once.

    >>> from pyvae.distributions import Bernoulli, DiagonalGaussian
    >>> numbers = DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> bits = Bernoulli(logits=torch.zeros(3, 1), event_ndim=1)
    >>> p = Product([numbers, bits], [torch.tensor([0, 2]), torch.tensor([1])])
    >>> p.event_shape, p.log_prob(torch.tensor([0.0, 1.0, 0.0]))[0]  # -log 2 pi - log 2
    (torch.Size([3]), tensor(-2.5310))
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012  torch's own
    has_parts = True

    def __init__(
        self, parts: Sequence[Distribution], columns: Sequence[Tensor] | None = None
    ) -> None:
        name = type(self).__name__
        shapes = [(tuple(p.batch_shape), tuple(p.event_shape)) for p in parts]
        batches = {batch for batch, _ in shapes}
        if len(batches) != 1 or any(len(event) != 1 for _, event in shapes):
            raise ValueError(
                f"{name}: the parts must have one batch shape and be over vectors, got {shapes}"
            )
        widths = [p.event_shape[0] for p in parts]
        if columns is None:
            columns = list(torch.arange(sum(widths)).split(widths))
        if [len(c) for c in columns] != widths:
            raise ValueError(
                f"{name}: columns must name {widths} elements, got {[len(c) for c in columns]}"
            )
        self.parts, self.columns = list(parts), list(columns)
        self._event_ndim = 1
        batch, event = parts[0].batch_shape, torch.Size([sum(widths)])
        Distribution.__init__(self, batch, event, validate_args=False)

    def _of(self, values: Tensor) -> list[Tensor]:
        """The elements that belong to each part."""
        return [values.index_select(-1, c.to(values.device)) for c in self.columns]

    def _whole(self, of_parts: Callable[[Distribution], Tensor]) -> Tensor:
        """A tensor (..., event) from those of the parts, in a dtype that holds all."""
        found = [of_parts(p) for p in self.parts]
        dtype = found[0].dtype
        for values in found[1:]:
            dtype = torch.promote_types(dtype, values.dtype)
        order = torch.cat(self.columns).argsort().to(found[0].device)
        return torch.cat([values.to(dtype) for values in found], -1).index_select(-1, order)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) (*sample, *batch)."""
        check_event(self, value)
        pairs = zip(self.parts, self._of(value), strict=True)
        return torch.stack([p.log_prob(x) for p, x in pairs]).sum(0)

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        if mask.ndim == 0 or mask.shape[-1] == 1:
            mask = mask.expand(*mask.shape[:-1], *self.event_shape)
        triples = zip(self.parts, self._of(value), self._of(mask), strict=True)
        return torch.stack([observed(p, m).log_prob(x) for p, x, m in triples]).sum(0)

    @property
    def mean(self) -> Tensor:
        """Of each element; of a category the mean of the codes, which says little."""
        return self._whole(lambda p: p.mean)

    @property
    def variance(self) -> Tensor:
        return self._whole(lambda p: p.variance)

    @property
    def support(self) -> constraints.Constraint:
        return _Each(self)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws (*sample_shape, *batch, event), categories as numbers."""
        return self._whole(lambda p: p.sample(torch.Size(sample_shape)))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Product:
        return Product([p.expand(torch.Size(batch_shape)) for p in self.parts], self.columns)

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.parts))})"


class _Each(constraints.Constraint):
    """Every part of the vector lies within the support of its own."""

    event_dim = 1

    def __init__(self, product: Product) -> None:
        self.product = product
        supports = [p.support for p in product.parts]
        self.is_discrete = all(s is not None and s.is_discrete for s in supports)

    def check(self, value: Tensor) -> Tensor:
        pairs = zip(self.product.parts, self.product._of(value), strict=True)
        known = [(p.support, x) for p, x in pairs if p.support is not None]
        whole = torch.ones((), dtype=torch.bool, device=value.device).expand(value.shape[:-1])
        return torch.stack([whole, *(support.check(x) for support, x in known)]).all(0)
