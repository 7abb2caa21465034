"""Categorical variables, such as pixels of 256 levels without an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributions import constraints

from pyvae.distributions.base import precise, root
from pyvae.distributions.checked import Checked
from pyvae.functional import categorical_log_prob

__all__ = ["Categorical"]

Self = TypeVar("Self", bound="Categorical")


class Categorical(Checked):
    r"""Independent variables among 0 .. C - 1, over the dimensions before the classes.

    .. math:: \log p(x) = \sum_i l_{i, x_i} - \log \sum_c e^{l_{i, c}}

    Pixels as classes: van den Oord et al. 2016, section 3.

    Args:
        logits: (*batch, *event, C)
        event_ndim: how many dimensions before the classes form the event; default: all but the
            first
        validate_args: check parameters and values (this waits for the device); default: as torch

    Raises:
        TypeError: the logits are not a floating-point tensor.
        ValueError: NaN among validated logits, or a validated value that is not a class.

    >>> p = Categorical(logits=torch.zeros(3, 2, 4))
    >>> p.batch_shape, p.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> p.log_prob(torch.tensor([0, 3]))
    tensor([-2.7726, -2.7726, -2.7726])
    """

    def __init__(
        self,
        *,
        logits: Tensor,
        event_ndim: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            got = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
            raise TypeError(f"Categorical: logits must be a floating-point tensor, got {got}")
        if logits.ndim == 0:
            raise ValueError("Categorical: logits must have a last dimension of classes, got ()")
        self.logits = logits
        self._set_classes()
        self._split(logits.shape[:-1], event_ndim, validate_args)

    def _set_classes(self) -> None:
        last = self.logits.shape[-1] - 1
        self.variable = constraints.integer_interval(0, last)
        self.values = f"a whole number from 0 to {last}"

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"logits": constraints.real}

    @property
    def probs(self) -> Tensor:
        """(*batch, *event, C)."""
        return self.logits.softmax(-1)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of the classes as numbers, in float32 at least."""
        probs = precise(self.logits).softmax(-1)
        classes = torch.arange(probs.shape[-1], dtype=probs.dtype, device=probs.device)
        mean = probs @ classes
        return mean, (probs * (classes - mean.unsqueeze(-1)).square()).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The mean of the classes as numbers."""
        return self._moments()[0].to(self.logits.dtype)

    @property
    def mode(self) -> Tensor:
        return self.logits.argmax(-1).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        return self._moments()[1].to(self.logits.dtype)

    @property
    def stddev(self) -> Tensor:
        return root(self._moments()[1]).to(self.logits.dtype)

    def entropy(self) -> Tensor:
        """H = -sum_i sum_c p_ic log p_ic."""
        log_probs = precise(self.logits).log_softmax(-1)
        each = -(log_probs.exp() * log_probs.clamp(min=torch.finfo(log_probs.dtype).min)).sum(-1)
        return each.flatten(len(self._batch_shape)).sum(-1) if self._event_ndim else each

    def _log_prob(self, value: Tensor, batch_ndim: int) -> Tensor:
        if value.is_floating_point():  # classes as numbers; a fraction is none, which gives NaN
            value = torch.where(value == value.round(), value, -1.0).long()
        elif value.dtype == torch.bool:
            value = value.to(torch.uint8)
        log_prob: Tensor = categorical_log_prob(value, self.logits, batch_ndim=batch_ndim)
        return log_prob

    def _draw(self, shape: torch.Size) -> Tensor:
        flat = self.logits.flatten(0, -2) if self.logits.ndim > 1 else self.logits[None]
        repeats = shape[: len(shape) - self.logits.ndim + 1].numel()
        if flat.shape[0] == 0 or repeats == 0:
            return self.logits.new_empty(shape)
        classes = torch.multinomial(precise(flat).softmax(-1), repeats, replacement=True)
        return classes.T.reshape(shape).to(self.logits.dtype)

    def expand(self: Self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        new = self._expanded(batch_shape, _instance)
        classes = self.logits.shape[-1:]
        new.logits = self.logits.expand(torch.Size(batch_shape) + self._event_shape + classes)
        new._set_classes()
        return new
