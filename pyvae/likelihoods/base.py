"""What every likelihood is."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.likelihoods.data_range import BITS, REAL, DataRange
from pyvae.networks import positions_of

__all__ = ["Likelihood"]


class Likelihood(nn.Module, ABC):
    """A layer from a decoder's output to the distribution p(x|z).

    The distributions do not validate what the networks give (that would wait for the device at
    each step): NaN propagates. Data are checked once, with :meth:`check`.

    Args:
        data_shape: the shape of one datum.
    """

    #: The data that it takes.
    data_range: DataRange = REAL
    #: Whether it is one of zeros and ones, for which grey levels are drawn unless asked otherwise.
    binary: ClassVar[bool] = False
    #: Whether p(x|z) is a probability, so that -log2 p(x) is a number of bits.
    discrete: ClassVar[bool] = False
    #: Whether each position is explained by its own parameters, independently of the others given
    #: these, so that a decoder may explain one after the other.
    separable: ClassVar[bool] = True
    #: Names of what ``forward`` needs besides the decoder's output (a library size, say).
    side_inputs: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if not isinstance(cls.data_range, DataRange):
            raise TypeError(
                f"{cls.__name__}: data_range must be a pyvae.likelihoods.DataRange, such as REAL, "
                f"UNIT, BITS, BYTES or COUNTS, got {cls.data_range!r}"
            )
        if "binary" not in vars(cls) and "data_range" in vars(cls):
            cls.binary = cls.data_range == BITS

    def __init__(self, data_shape: Sequence[int]) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of what the decoder must give for one datum; the default is the data's own."""
        return self.data_shape

    @property
    def positions(self) -> Tensor:
        """The position of a datum that each parameter belongs to (*param_shape).

        See :func:`pyvae.networks.positions_of`. The default is that of parameters which come one
        datum's shape after the other along the first dimension.
        """
        if len(self.data_shape) > 1:
            inner = positions_of(self.data_shape)[0]
            return inner.expand(self.param_shape)
        return torch.arange(self.param_shape[0]) % self.data_shape[0]

    def at(self, position: int) -> Likelihood:
        """The likelihood of one position's elements: data of shape (channels, 1, ...), or (1,).

        Its parameters are those that ``positions`` gives to it, in their order. Of what is kept
        for each element, as a tensor of the data's shape, it has the part.

        >>> from pyvae.likelihoods import GaussianLikelihood
        >>> GaussianLikelihood((3, 8, 8), variance="per_pixel").at(5).param_shape
        (6, 1, 1)
        """
        one = copy.copy(self)
        channels, *rest = self.data_shape if len(self.data_shape) > 1 else (1, *self.data_shape)
        one.data_shape = (channels, *(1 for _ in rest))[-len(self.data_shape) :]
        for name, value in (*self._parameters.items(), *self._buffers.items()):
            if value is not None and value.shape == self.data_shape:
                part = value.reshape(channels, -1)[:, position].reshape(one.data_shape)
                vars(one)[name] = part  # found before the whole one
        return one

    @classmethod
    def for_columns(cls, columns: Iterable[Any]) -> dict[str, Any]:
        """Options that the ``columns`` of a data set settle; the default is none."""
        return {}

    @abstractmethod
    def forward(self, params: Tensor, **side: Tensor) -> Distribution:
        """p(x|z) with batch_shape (*batch,) and event_shape data_shape.

        Args:
            params: (*batch, *param_shape)
            side: one tensor (*batch, ...) for each name in ``side_inputs``
        """

    def as_input(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Data as the encoder sees them: in its dtype, and on a scale fit for a network."""
        return x.to(dtype)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of what ``as_input`` gives for one datum; the default is the data's own."""
        return self.data_shape

    def as_masked_input(self, x: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """``as_input``, with zeros for what the mask (B, *data_shape) says is not observed."""
        return torch.where(mask, self.as_input(x, dtype), 0)

    def statistics(self, p: Distribution) -> Tensor:
        """What of several p(x|z) is averaged (*batch, ...): by default their means."""
        return p.mean

    def from_statistics(self, average: Tensor) -> Tensor:
        """The datum (*batch, *data_shape) that such an average stands for."""
        return average

    def init_from_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Take note of the training data's mean and standard deviation (*data_shape) each.

        Called once before training. The default does nothing.
        """

    def init_from_mean(self, data_mean: Tensor) -> Tensor | None:
        """Parameters (*param_shape) whose distribution has this mean (*data_shape), or None.

        A decoder whose output starts there learns faster (Burda et al. 2016 start so).
        """
        return None

    def check(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Look at the shape and the values of data x (B, *data_shape). This waits for the device.

        Args:
            x: the data
            mask: bool (B, *data_shape), True where they were observed and are looked at

        Raises:
            ValueError: the shape is another, or a value lies outside of what the likelihood takes.
        """
        if tuple(x.shape[1:]) != self.data_shape:
            raise ValueError(
                f"{type(self).__name__} likelihood: x must have shape "
                f"(B, {', '.join(map(str, self.data_shape))}), got {tuple(x.shape)}"
            )
        if mask is not None:
            x = torch.where(mask, x, self.data_range.inside)
        if x.numel() and not bool(self.contains(x).all()):
            fractions = _fractions(x) if self.data_range.whole else ""
            raise ValueError(
                f"{type(self).__name__} likelihood: x must be {self.data_range}, "
                f"got values from {x.min().item():g} to {x.max().item():g}{fractions}"
            )

    def contains(self, x: Tensor) -> Tensor:
        """Which of the data x (B, *data_shape) the likelihood can explain: bool (B,)."""
        inside = self.data_range.contains(x).flatten(1).all(1)
        with torch.no_grad():
            params = torch.zeros(self.param_shape, device=x.device)
            side = {name: torch.ones((), device=x.device) for name in self.side_inputs}
            constraint = self(params, **side).support
            return inside if constraint is None else inside & constraint.check(x)


def _fractions(x: Tensor) -> str:
    return "" if bool((x == x.round()).all()) else ", not all of them whole"
