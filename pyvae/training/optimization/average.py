"""An exponential moving average of a model's weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from pyvae.models.base import Model
from pyvae.training.distributed.sharding import dealt, local

__all__ = ["Average"]


class Average:
    r"""A model whose weights are the average of another one's over the updates.

    .. math::
        \bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta

    It begins with the weights of the first update. Other tensors of the state, such as the
    statistics of batch normalization, are those of the model. No update waits for the device.

    Args:
        source: the model that is trained
        decay: d, between 0 and 1
        model: takes the average, where the source's weights are dealt out to processes: then
            the average is too, as ``weights``, and :class:`Mirror` brings it there. None: a copy
            of the source, whose weights they are.

    >>> from pyvae import VAE
    >>> source = VAE((4,), 2)
    >>> average = Average(source, decay=0.75)
    >>> for value in (0.0, 1.0):
    ...     for weight in source.parameters():
    ...         _ = weight.data.fill_(value)
    ...     average.update()
    >>> {weight.mean().item() for weight in average.model.parameters()}
    {0.25}
    """

    def __init__(self, source: Model, decay: float, model: Model | None = None) -> None:
        self.model = copy.deepcopy(source) if model is None else model
        self.count = 0  #: updates so far
        self._decay = decay
        self._source = [*source.parameters()]
        self.weights = [*(self.model.parameters() if model is None else self._cloned())]
        self._buffers = [*zip(self.model.buffers(), source.buffers(), strict=True)]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        averaged, weights = [*map(local, self.weights)], [*map(local, self._source)]
        if self.count:
            torch._foreach_lerp_(averaged, weights, 1 - self._decay)
        else:
            torch._foreach_copy_(averaged, weights)
        for mine, theirs in self._buffers:
            mine.copy_(theirs)
        self.count += 1

    def state_dict(self) -> dict[str, Tensor]:
        """The model's, and the count."""
        named = {f"module.{name}": value for name, value in self.model.state_dict().items()}
        return {**named, "n_averaged": torch.tensor(self.count)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state_dict` gave."""
        named = {name: value for name, value in state.items() if name != "n_averaged"}
        self.model.load_state_dict({n.removeprefix("module."): v for n, v in named.items()})
        for mine, theirs in zip(self.weights, self.model.parameters(), strict=True):
            if mine is not theirs:
                mine.copy_(dealt(theirs, mine))
        self.count = int(state["n_averaged"])

    def _cloned(self) -> list[Tensor]:
        return [weight.detach().clone() for weight in self._source]
