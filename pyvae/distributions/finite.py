"""Variables with finitely many values."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from pyvae.distributions.checked import Checked

__all__ = ["Finite"]


class Finite(Checked, ABC):
    """Variables whose values can be listed, where they are single."""

    @abstractmethod
    def _every_value(self) -> Tensor:
        """All values of one variable."""

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return not self._event_ndim

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Every value (values, *batch), of single variables."""
        self._single("enumerate_support")
        values = self._every_value().reshape(-1, *(1 for _ in self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
