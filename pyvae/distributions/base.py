"""What the distributions share: parameters, and how shapes split into batch and event."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = [
    "OpDistribution",
    "broadcast",
    "check_event",
    "expm1_rest",
    "one_event",
    "precise",
    "root",
]

Self = TypeVar("Self", bound="OpDistribution")


def broadcast(first: torch.Size, second: torch.Size) -> torch.Size:
    """The shape that both broadcast to; ``torch.broadcast_shapes`` is slow where they are alike."""
    if first == second or not second:
        return first
    shape: torch.Size = torch.broadcast_shapes(first, second)
    return shape


def precise(t: Tensor) -> Tensor:
    """In float32 at least, which 16-bit types compute in."""
    return t.to(torch.promote_types(t.dtype, torch.float32))


def root(variance: Tensor) -> Tensor:
    """The square root, with a gradient of 0 where the variance is 0."""
    none = variance == 0
    return torch.where(none, 0.0, torch.where(none, 1.0, variance).sqrt())


def check_event(p: Distribution, value: Tensor) -> None:
    """Raises: ValueError: the value ends in another shape than that of an event."""
    event = p.event_shape
    if value.shape[max(value.ndim - len(event), 0) :] != event:
        raise ValueError(
            f"{type(p).__name__}.log_prob: value must have the event shape {tuple(event)}, "
            f"got {tuple(value.shape)}"
        )


def one_event(q: Distribution, p: Distribution) -> None:
    """Raises: ValueError: a divergence was asked for of distributions over different events."""
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"kl_divergence: {type(q).__name__} and {type(p).__name__} must have one event shape, "
            f"got {tuple(q.event_shape)} and {tuple(p.event_shape)}"
        )


def expm1_rest(x: Tensor) -> Tensor:
    """e^x - 1 - x, which is about x^2 / 2 near 0, where a difference would have no digits."""
    near = x.abs() < 0.5
    small, total = torch.where(near, x, 0.0), torch.ones_like(x)
    for k in range(16, 2, -1):
        total = 1 + small / k * total
    large = torch.where(near, 1.0, x)
    return torch.where(near, small.square() / 2 * total, torch.expm1(large) - large)


class OpDistribution(Distribution):
    """A distribution over tensors whose trailing ``event_ndim`` dimensions are one event."""

    #: The parameters that were given, by their names.
    _given: dict[str, Tensor]
    #: Whether the log-probability of a part of an event is known: see :meth:`mask`.
    has_parts: ClassVar[bool] = False

    def mask(self, mask: Tensor) -> Distribution:
        """The same distribution, of which only a part was observed: see :class:`Masked`.

        Args:
            mask: bool, True where observed; it broadcasts to (*batch, *event)
        """
        from pyvae.distributions.masked import Masked  # which is made of this class

        return Masked(self, mask)

    def log_prob_of_part(self, value: Tensor, mask: Tensor) -> Tensor:
        """log p of the elements of the value that a mask says were observed."""
        raise NotImplementedError(f"{type(self).__name__} knows no distribution of a part")

    @property
    def stddev(self) -> Tensor:
        return root(self.variance)

    @property
    def param_shape(self) -> torch.Size:
        """The shape of the parameters, all together."""
        return self._batch_shape + self._event_shape

    def _split(
        self,
        shape: torch.Size,
        event_ndim: int,
        validate_args: bool | None,
        given: dict[str, Tensor],
    ) -> None:
        """Set the shapes, of parameters that broadcast to ``shape``, and validate."""
        if not 0 <= event_ndim <= len(shape):
            raise ValueError(
                f"{type(self).__name__}: event_ndim must lie between 0 and the {len(shape)} "
                f"dimensions of the parameters {tuple(shape)}, got {event_ndim}"
            )
        self._given = given
        self._event_ndim = event_ndim
        cut = len(shape) - event_ndim
        self._batch_shape, self._event_shape = shape[:cut], shape[cut:]
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()

    def _validate_parameters(self) -> None:
        for name, t in self._given.items():
            if not t.numel():  # torch's checks cannot take an empty batch
                continue
            constraint = type(self).arg_constraints[name]  # type: ignore[index]
            valid = constraint.check(t)
            if not bool(valid.all()):
                wrong = t[~valid].flatten()
                raise ValueError(
                    f"Expected parameter {name} of {type(self).__name__} to satisfy the constraint "
                    f"{constraint!r}, got {wrong[0].item():g}"
                )

    def _expanded(self: Self, batch_shape: Any, _instance: Any = None) -> Self:
        """A copy with another batch shape and the parameters as they are."""
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        new._event_ndim = self._event_ndim
        new._given = dict(self._given)
        Distribution.__init__(new, torch.Size(batch_shape), self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def _dtype(self) -> torch.dtype:
        return next(iter(self._given.values())).dtype

    def _as_value(self, value: Any) -> Tensor:
        """A number as a tensor beside the parameters; a tensor as it is."""
        if isinstance(value, Tensor):
            return value
        device = next(iter(self._given.values())).device
        return torch.as_tensor(value, dtype=self._dtype, device=device)

    def _over_event(self, each: Tensor) -> Tensor:
        """The sum over an event, of (*, *event)."""
        return each.flatten(-self._event_ndim).sum(-1) if self._event_ndim else each

    def _batch_ndim(self, value: Tensor) -> int:
        """How many dimensions ``log_prob(value)`` has. Validates the value if asked to."""
        check_event(self, value)
        batch = value.shape[: value.ndim - self._event_ndim]
        for n, own in zip(reversed(batch), reversed(self._batch_shape), strict=False):
            if n != own and n != 1 and own != 1:
                raise ValueError(
                    f"{type(self).__name__}.log_prob: the value's batch {tuple(batch)} and that of "
                    f"the parameters {tuple(self._batch_shape)} do not broadcast"
                )
        if self._validate_args and value.numel():
            self._validate_sample(value)
        return max(value.ndim - self._event_ndim, len(self._batch_shape))

    def __repr__(self) -> str:
        shown = [f"{k}: {t if t.numel() == 1 else t.size()}" for k, t in self._given.items()]
        if self._event_ndim:
            shown.append(f"event_ndim: {self._event_ndim}")
        return f"{type(self).__name__}({', '.join(shown)})"
