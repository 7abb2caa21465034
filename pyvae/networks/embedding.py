"""Vectors that are learned, in the place of the numbers of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ConditionEmbedding"]


class ConditionEmbedding(nn.Module):
    """A condition in which a learned vector stands for each category.

    The vector of the last number, which is that of a missing value, starts at 0.

    Args:
        dim: C, the length of the condition
        tables: for each place that holds the number of a category: the place, how many numbers
            there are, and the width of the vectors

    Raises:
        ValueError: a place that there is not, or that is named twice, or sizes that are not
            positive.

    >>> embed = ConditionEmbedding(3, [(1, 5, 8)])  # four categories, and "missing"
    >>> embed(torch.tensor([[0.5, 4.0, 1.0]])).shape, embed.out_features
    (torch.Size([1, 10]), 10)
    """

    def __init__(self, dim: int, tables: Sequence[Sequence[int]]) -> None:
        super().__init__()
        places = [place for place, _, _ in tables]
        sizes = [size for _, *both in tables for size in both]
        listed = [tuple(table) for table in tables]
        if not set(places) <= set(range(dim)) or len(set(places)) < len(places) or min(sizes) < 1:
            raise ValueError(
                f"condition_embeddings must hold (place, how many numbers, width), with places "
                f"below {dim}, each named once, and positive sizes, got {listed}"
            )
        self.dim = dim
        self.tables = nn.ModuleDict(
            {str(place): nn.Embedding(count, width) for place, count, width in tables}
        )
        for place, count, _ in tables:
            nn.init.zeros_(self.tables[str(place)].weight[count - 1])  # type: ignore[index]
        self.out_features = dim + sum(width - 1 for _, _, width in tables)

    def forward(self, condition: Tensor) -> Tensor:
        """Vectors (*batch, out_features) for a condition (*batch, C)."""
        parts, start = [], 0
        for place in sorted(map(int, self.tables)):
            parts += [condition[..., start:place], self._of(place, condition[..., place])]
            start = place + 1
        parts.append(condition[..., start:])
        return torch.cat([part.to(parts[1].dtype) for part in parts], -1)

    def _of(self, place: int, numbers: Tensor) -> Tensor:
        table: Any = self.tables[str(place)]
        try:
            vectors: Tensor = table(numbers.long())
        except IndexError as error:
            raise ValueError(
                f"place {place} of the condition must hold whole numbers from 0 to "
                f"{table.num_embeddings - 1}, those of categories, got others"
            ) from error
        return vectors
