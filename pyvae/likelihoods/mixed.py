"""Tables whose columns are of several kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from pyvae.distributions import Product
from pyvae.likelihoods.base import Likelihood
from pyvae.likelihoods.categorical import CategoricalLikelihood
from pyvae.likelihoods.groups import Group, groups_of
from pyvae.registry import likelihoods

__all__ = ["MixedLikelihood", "TableColumn"]

KINDS = {"real": "gaussian", "bits": "bernoulli", "counts": "poisson"}
SPREADS = {"gaussian": "variance", "laplace": "scale"}  # options of likelihoods that have a spread


class TableColumn(Protocol):
    """What a data set knows of a column."""

    @property
    def kind(self) -> str: ...

    @property
    def categories(self) -> tuple[str, ...]: ...


@likelihoods.register("mixed")
class MixedLikelihood(Likelihood):
    """p(x|z) of a row of a table: for each kind of columns a likelihood of its own.

    All columns are independent given z, so that what is missing can be left out. A category is one
    column of whole numbers from 0; the encoder sees it one-hot, and real columns standardized.

    Args:
        data_shape: (columns,)
        parts: the likelihoods of the columns in their order, ``name:columns``, or
            ``categorical:columns:levels``: ``parts=gaussian:3,bernoulli:2,categorical:1:5``
        spread: where the spread of the ``gaussian`` and ``laplace`` ones comes from, "per_variable"
            (one learned number for each column), or any other that these take

    Raises:
        ValueError: a part that is not written so, or that needs side inputs or another shape of
            data; or parts of more or fewer columns than the data have.
        UnknownPartError: no likelihood has this name.

    >>> mixed = MixedLikelihood((4,), parts=["gaussian:2", "categorical:1:3", "bernoulli:1"])
    >>> mixed.param_shape, mixed.input_shape
    ((6,), (6,))
    """

    def __init__(
        self, data_shape: Sequence[int], parts: Sequence[str] = (), spread: str = "per_variable"
    ) -> None:
        super().__init__(data_shape)
        if len(self.data_shape) != 1:
            raise ValueError(
                f"mixed likelihood: the data must be rows of a table (columns,), "
                f"got {self.data_shape}"
            )
        self.groups = groups_of(parts, self.data_shape[0])
        self.likelihoods = nn.ModuleList(_make(group, spread) for group in self.groups)
        for i, group in enumerate(self.groups):
            self.register_buffer(f"columns{i}", torch.tensor(group.columns), persistent=False)
        self.discrete = all(part.discrete for part in self._parts())  # type: ignore[misc]

    @classmethod
    def for_columns(cls, columns: Iterable[TableColumn]) -> dict[str, Any]:
        """The likelihoods of columns, by their kinds."""
        parts = [
            f"categorical:1:{max(2, len(column.categories))}"
            if column.kind == "categories"
            else f"{KINDS[column.kind]}:1"
            for column in columns
        ]
        return {"parts": parts} if parts else {}

    def _parts(self) -> list[Likelihood]:
        return [part for part in self.likelihoods if isinstance(part, Likelihood)]

    @property
    def columns(self) -> list[Tensor]:
        """The columns that each of the likelihoods is about."""
        return [getattr(self, f"columns{i}") for i in range(len(self.groups))]

    def _split(self, x: Tensor) -> list[tuple[Likelihood, Tensor]]:
        """Each likelihood with its columns of x (..., columns)."""
        pairs = zip(self._parts(), self.columns, strict=True)
        return [(part, x.index_select(-1, columns.to(x.device))) for part, columns in pairs]

    @property
    def param_shape(self) -> tuple[int, ...]:
        return (sum(part.param_shape[0] for part in self._parts()),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (sum(_width(part) for part in self._parts()),)

    @property
    def positions(self) -> Tensor:
        pairs = zip(self._parts(), self.columns, strict=True)
        return torch.cat([columns[part.positions] for part, columns in pairs])

    def at(self, position: int) -> Likelihood:
        for group, part in zip(self.groups, self._parts(), strict=True):
            if position in group.columns:
                return part.at(group.columns.index(position))
        raise IndexError(f"mixed likelihood: there is no column {position}")

    def forward(self, params: Tensor, **side: Tensor) -> Product:
        sizes = [part.param_shape[0] for part in self._parts()]
        pairs = zip(self._parts(), params.split(sizes, -1), strict=True)
        return Product([part(given) for part, given in pairs], self.columns)

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Kind after kind: categories one-hot, real numbers standardized."""
        return torch.cat([_seen(part, some, dtype) for part, some in self._split(x)], -1)

    def as_masked_input(self, x: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """The same, with zeros for all numbers of a column that is not observed."""
        pairs = zip(self._parts(), self._split(mask), strict=True)
        seen = [
            some.repeat_interleave(_width(part) // some.shape[-1], -1) for part, (_, some) in pairs
        ]
        whole = self.as_input(torch.where(mask, x, x.new_zeros(())), dtype)
        return torch.where(torch.cat(seen, -1), whole, 0.0)

    def init_from_statistics(self, mean: Tensor, std: Tensor) -> None:
        for (part, of_mean), (_, of_std) in zip(self._split(mean), self._split(std), strict=True):
            part.init_from_statistics(of_mean, of_std)

    def init_from_mean(self, data_mean: Tensor) -> Tensor:
        """That of each likelihood; zeros where it has none."""
        starts = []
        for part, of_mean in self._split(data_mean):
            start = part.init_from_mean(of_mean)
            starts.append(of_mean.new_zeros(part.param_shape) if start is None else start)
        return torch.cat(starts, -1)

    def statistics(self, p: Distribution) -> Tensor:
        """Means, and of categories the probabilities."""
        assert isinstance(p, Product)
        found = [q.probs.flatten(-2) if isinstance(q, Categorical) else q.mean for q in p.parts]
        return torch.cat(found, -1)

    def from_statistics(self, average: Tensor) -> Tensor:
        """Means, and of categories the likeliest."""
        values = []
        sizes = [_width(part) for part in self._parts()]
        for part, some in zip(self._parts(), average.split(sizes, -1), strict=True):
            if isinstance(part, CategoricalLikelihood):
                some = some.unflatten(-1, (-1, part.levels)).argmax(-1).to(average.dtype)
            values.append(some)
        order = torch.cat(self.columns).argsort().to(average.device)
        return torch.cat(values, -1).index_select(-1, order)

    def contains(self, x: Tensor) -> Tensor:
        inside: list[Tensor] = [part.contains(some) for part, some in self._split(x)]
        return torch.stack(inside).all(0)

    def check(self, x: Tensor, mask: Tensor | None = None) -> None:
        if tuple(x.shape[1:]) != self.data_shape:
            super().check(x)
        masks = [None] * len(self.groups) if mask is None else [m for _, m in self._split(mask)]
        for group, (part, some), seen in zip(self.groups, self._split(x), masks, strict=True):
            try:
                part.check(some, seen)
            except ValueError as error:
                numbers = ", ".join(map(str, group.columns[:5])) + ", ..." * (
                    len(group.columns) > 5
                )
                raise ValueError(f"mixed likelihood, columns {numbers}: {error}") from None


def _make(group: Group, spread: str) -> Likelihood:
    options: Mapping[str, Any] = {}
    if group.name in SPREADS:
        options = {"standardize": True, SPREADS[group.name]: spread}
    elif group.levels is not None:
        options = {"levels": group.levels}
    part: Likelihood = likelihoods.create(group.name, data_shape=(len(group.columns),), **options)
    if part.side_inputs:
        raise ValueError(
            f"mixed likelihood: {group.name} needs {', '.join(part.side_inputs)}, which columns of "
            f"a table do not have; poisson is a likelihood of counts that needs nothing"
        )
    return part


def _width(part: Likelihood) -> int:
    """How many numbers the encoder sees of its columns."""
    if isinstance(part, CategoricalLikelihood):
        return part.data_shape[0] * part.levels
    return part.input_shape[0]


def _seen(part: Likelihood, x: Tensor, dtype: torch.dtype) -> Tensor:
    if not isinstance(part, CategoricalLikelihood):
        return part.as_input(x, dtype)
    return F.one_hot(x.long(), part.levels).flatten(-2).to(dtype)
