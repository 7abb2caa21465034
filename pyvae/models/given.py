"""What a model is given with its data: a condition, and a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from pyvae.networks import ConditionEmbedding

__all__ = ["Given"]


class Given(nn.Module):
    """A model whose parts may be given a condition, and of whose data a part may be missing."""

    condition_dim: int  #: the length of the condition that p(x|z, c) is given; 0: none
    condition_embeddings: Sequence[Sequence[int]] = ()  #: places of it that are embedded
    masked: bool = False  #: whether some of the data may not have been observed
    _config: dict[str, Any]

    @property
    def given_inputs(self) -> tuple[str, ...]:
        """Names of what comes with the data, whatever the parts are: the condition, the mask."""
        given = {"condition": bool(self.condition_dim), "mask": self.masked}
        return tuple(name for name, there in given.items() if there)

    def _embed(self, tables: Sequence[Sequence[int]]) -> None:
        """Embed these places of the condition, before any part is made."""
        if tables:
            self.condition_embedding = ConditionEmbedding(self.condition_dim, tables)
            self.condition_embeddings = tuple(map(tuple, tables))
            self._config["condition_embeddings"] = self.condition_embeddings

    @property
    def _condition_width(self) -> int:
        """The length of the condition as the parts are given it."""
        if self.condition_embeddings:
            return self.condition_embedding.out_features
        return self.condition_dim

    def _condition(self, method: str, side: Mapping[str, Tensor]) -> Tensor:
        """The condition among side inputs, as the parts are given it (B, ...).

        Raises:
            ValueError: there is none, or one of another length.
        """
        condition = side.get("condition")
        if condition is None or condition.ndim == 0 or condition.shape[-1] != self.condition_dim:
            got = "none" if condition is None else f"the shape {tuple(condition.shape)}"
            raise ValueError(
                f"{type(self).__name__}.{method}: the model is conditional and needs a condition "
                f"(B, {self.condition_dim}), got {got}"
            )
        return self.condition_embedding(condition) if self.condition_embeddings else condition
