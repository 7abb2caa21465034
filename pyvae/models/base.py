"""What every model is, seen from an objective."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.models import pretrained

__all__ = ["Model", "posterior_mean"]

Self = TypeVar("Self", bound="Model")


def posterior_mean(q: Distribution) -> Tensor:
    """The mean of q(z|x), or a sample of it where the distribution knows no mean."""
    try:
        return q.mean
    except NotImplementedError:
        return q.sample()


class Model(nn.Module, ABC):
    """A latent variable model p(z) p(x|z) with an approximate posterior q(z|x)."""

    data_shape: tuple[int, ...]  #: the shape of one datum
    latent_dim: int  #: the number of latents
    prior: Callable[[], Distribution]  #: p(z)

    @abstractmethod
    def encode(self, x: Tensor) -> Distribution:
        """q(z|x) with batch_shape (B,), for x (B, *data_shape)."""

    @abstractmethod
    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z) with batch_shape (*batch,), for z (*batch, latent_dim)."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What the class must be called with to build this model again, fit for JSON."""

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point dtype of the parameters."""
        floats = (p.dtype for p in self.parameters() if p.is_floating_point())
        return next(floats, torch.get_default_dtype())

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write ``config.json`` and ``model.safetensors``; each appears whole or not at all.

        Raises:
            TypeError: the config cannot be written: see ``config``.
            ImportError: safetensors is not installed.
            OSError: the folder cannot be made or written.
        """
        pretrained.save(self, self.config, folder)

    @classmethod
    def from_pretrained(
        cls: type[Self],
        folder: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
    ) -> Self:
        """The model that :meth:`save_pretrained` wrote.

        Raises:
            FileNotFoundError: the folder or one of its files is missing.
            ValueError: a file is damaged, or holds another model.
            UnknownPartError: a part is not registered (its plugin is not installed).
        """
        model: Self = pretrained.load(cls.__name__, cls, folder, device)
        return model
