"""What every model is, seen from an objective."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.batch import Batch
from pyvae.distributions.base import OpDistribution
from pyvae.likelihoods import Likelihood
from pyvae.models import pretrained
from pyvae.models.importance import log_marginal
from pyvae.models.weights import infer

__all__ = ["Model", "mean_or_sample", "unwrapped"]

Self = TypeVar("Self", bound="Model")


def mean_or_sample(p: Distribution) -> Tensor:
    """The mean of a distribution, or a sample of it where its mean has no closed form.

    A sample also takes the place of a mean that there is not, as that of heavy tails.

    >>> mean_or_sample(torch.distributions.Cauchy(torch.zeros(3), 1.0)).isfinite().all()
    tensor(True)
    """
    try:
        mean = p.mean
    except NotImplementedError:
        return p.sample()
    if isinstance(p, OpDistribution):  # which always has one
        return mean
    there = mean.isfinite()
    return mean if bool(there.all()) else torch.where(there, mean, p.sample())


def unwrapped(module: Any) -> Any:
    """What DistributedDataParallel, DataParallel, torch.compile and their like were put around.

    >>> unwrapped(nn.DataParallel(nn.Linear(2, 3)))
    Linear(in_features=2, out_features=3, bias=True)
    """
    while not isinstance(module, Model) and isinstance(module, nn.Module):
        inside = vars(module)["_modules"]
        inner = inside.get("_orig_mod", inside.get("module"))
        if inner is None:
            break
        module = inner
    return module


class Model(nn.Module, ABC):
    """A latent variable model p(z) p(x|z) with an approximate posterior q(z|x)."""

    data_shape: tuple[int, ...]  #: the shape of one datum
    latent_dim: int  #: the number of latents
    prior: Callable[..., Distribution]  #: p(z), given what ``prior_inputs`` names
    likelihood: Likelihood  #: what p(x|z) is: the data that it takes, its side inputs
    classes: int = 0  #: how many classes ``class_logits`` tells apart; 0: it tells none
    encoder_inputs: tuple[str, ...] = ()  #: names of what ``encode`` takes besides x
    prior_inputs: tuple[str, ...] = ()  #: names of what ``prior`` takes

    @property
    def side_inputs(self) -> tuple[str, ...]:
        """Names of all side inputs that the model takes, those of the likelihood too."""
        names = (*self.encoder_inputs, *self.prior_inputs, *self.likelihood.side_inputs)
        return tuple(dict.fromkeys(names))

    @abstractmethod
    def encode(self, x: Tensor, **side: Tensor) -> Distribution:
        """q(z|x) with batch_shape (B,), for x (B, *data_shape) and its side inputs (B, ...)."""

    @abstractmethod
    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z) with batch_shape (*batch,), for z (*batch, latent_dim)."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What the class must be called with to build this model again, fit for JSON."""

    def forward(
        self,
        x: Tensor,
        *,
        objective: nn.Module | None = None,
        phase: str | None = None,
        y: Tensor | None = None,
        **extras: Tensor,
    ) -> Any:
        """x through the model, as wrappers such as DistributedDataParallel call it.

        Args:
            x: data (B, *data_shape)
            objective: what to evaluate on the model and the batch. An objective that is given a
                wrapped model calls this by itself.
            phase: of the objective
            y: labels (B,), where there are any
            extras: side inputs by name, each (B, ...)

        Returns:
            The mean of p(x|z) (B, *data_shape) at z ~ q(z|x), differentiable where the sample is,
            or a draw where that mean has no closed form; with an objective its loss, and its terms
            by name.
        """
        if objective is not None:
            result = nn.Module.__call__(objective, self, Batch(x, y, extras), phase=phase)
            return result.loss, result.terms
        q, _ = infer(self, x, extras)
        z = q.rsample() if q.has_rsample else q.sample()
        return mean_or_sample(self.decode(z, **extras))

    def infer(self, batch: Batch) -> tuple[Distribution, Distribution]:
        """q(z|x) and p(z) of a batch, each given those of its side inputs that it takes."""
        return infer(self, batch.x, batch.extras)

    def sample_prior(self, n: int, side: Mapping[str, Tensor]) -> Tensor:
        """Latents (n, latent_dim) of p(z), or of p(z|c) for side inputs (n, ...) that it takes."""
        p = self.prior(**{name: side[name] for name in self.prior_inputs if name in side})
        return p.sample(torch.Size(() if p.batch_shape else (n,)))

    def class_logits(self, x: Tensor) -> Tensor:
        """The logits of q(y|x) (B, classes), of models that tell classes apart.

        Raises:
            NotImplementedError: this one does not.
        """
        raise NotImplementedError(f"{type(self).__name__} tells no classes apart; m2 and m1m2 do")

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of q(z|x).

        Raises:
            NotImplementedError: the model does not tell them apart.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not say which of its parameters are those of q(z|x): "
            f"define recognition_parameters"
        )

    def generative_parameters(self) -> list[nn.Parameter]:
        """The parameters of p(z) p(x|z): all that are not of q(z|x)."""
        recognition = {id(p) for p in self.recognition_parameters()}
        return [p for p in self.parameters() if id(p) not in recognition]

    @torch.no_grad()
    def sample(self, n: int, *, mean: bool = True, **side: Tensor) -> Tensor:
        """New data (n, *data_shape): the mean of p(x|z) at z ~ p(z), or draws from it."""
        p = self.decode(self.sample_prior(n, side), **side)
        return mean_or_sample(p) if mean else p.sample()

    @torch.no_grad()
    def reconstruct(self, x: Tensor, *, mean: bool = True, **side: Tensor) -> Tensor:
        """x (B, *data_shape) through the mean of q(z|x) and that of p(x|z), or through draws.

        Where the posterior's mean has no closed form, a draw takes its place.
        """
        q, _ = infer(self, x, side)
        p = self.decode(mean_or_sample(q) if mean else q.sample(), **side)
        return mean_or_sample(p) if mean else p.sample()

    @torch.no_grad()
    def log_marginal(
        self, x: Tensor, num_samples: int, *, chunk: int | None = None, **side: Tensor
    ) -> Tensor:
        """log p(x) (B,) in nats, estimated by importance sampling: see :func:`log_marginal`.

        Args:
            x: data (B, *data_shape)
            num_samples: K, samples of z for each datum
            chunk: how many of them to hold at a time; default: what fits in some 100 MB
        """
        return log_marginal(self, x, num_samples, side, chunk=chunk)

    def init_output(self, data_mean: Tensor) -> None:
        """Start the decoder at the mean of the data (*data_shape), where the model knows how to."""

    def init_prior(self, x: Tensor) -> None:
        """Let the prior start from training data x (N, *data_shape), where it knows how to."""

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
        verify: bool = True,
    ) -> Self:
        """The model that :meth:`save_pretrained` wrote.

        Args:
            folder: where it lies
            device: where the model shall be
            verify: compare the weights with the checksum that was written with them

        Raises:
            FileNotFoundError: the folder or one of its files is missing.
            ValueError: a file is damaged, or holds another model.
            UnknownPartError: a part is not registered (its plugin is not installed).
        """
        model: Self = pretrained.load(cls.__name__, cls, folder, device, verify=verify)
        return model
