"""Discrete latents."""

from __future__ import annotations

from torch import Tensor, nn

from pyvae.distributions import OneHot, RelaxedBernoulli
from pyvae.posteriors.base import Posterior
from pyvae.registry import posteriors

__all__ = ["BernoulliPosterior", "CategoricalPosterior"]


@posteriors.register("categorical")
class CategoricalPosterior(Posterior):
    """q(z|x) of groups of classes as one-hot codes, with Gumbel-softmax samples for gradients.

    Jang et al. 2017; Maddison et al. 2017. ``sample`` is exact. Its prior is
    ``uniform_categorical``.

    Args:
        in_features: the number of features
        latent_dim: the number of latents, groups times classes
        classes: of each group
        temperature: of the relaxation
        straight_through: give codes with the gradient of the relaxation

    Raises:
        ValueError: classes that do not divide latent_dim, or a temperature that is not positive.

    >>> import torch
    >>> CategoricalPosterior(64, 20)(torch.zeros(3, 64)).sample().sum(-1)
    tensor([2., 2., 2.])
    """

    space = "one_hot"

    def __init__(
        self,
        in_features: int,
        latent_dim: int,
        classes: int = 10,
        temperature: float = 0.67,
        straight_through: bool = False,
    ) -> None:
        super().__init__(in_features, latent_dim)
        if classes < 2 or latent_dim % classes:
            raise ValueError(
                f"categorical posterior: classes must be at least 2 and divide latent_dim, got "
                f"{classes} and {latent_dim}"
            )
        self.classes = classes
        self.temperature = _positive(temperature, "categorical")
        self.straight_through = straight_through
        self.linear = nn.Linear(in_features, latent_dim)

    def forward(self, features: Tensor) -> OneHot:
        logits = self.linear(features).unflatten(-1, (-1, self.classes))
        return OneHot(
            logits,
            self.temperature,
            straight_through=self.straight_through,
            validate_args=False,
        )


@posteriors.register("bernoulli")
class BernoulliPosterior(Posterior):
    """q(z|x) of zeros and ones, with relaxed samples for gradients.

    Maddison et al. 2017, appendix B (binary concrete). ``sample`` is exact. Its prior is
    ``uniform_categorical``.

    Args:
        in_features: the number of features
        latent_dim: the number of latents
        temperature: of the relaxation
        straight_through: give zeros and ones with the gradient of the relaxation

    Raises:
        ValueError: a temperature that is not positive.

    >>> import torch
    >>> BernoulliPosterior(64, 20)(torch.zeros(3, 64)).event_shape
    torch.Size([20])
    """

    space = "binary"

    def __init__(
        self,
        in_features: int,
        latent_dim: int,
        temperature: float = 0.67,
        straight_through: bool = False,
    ) -> None:
        super().__init__(in_features, latent_dim)
        self.temperature = _positive(temperature, "bernoulli")
        self.straight_through = straight_through
        self.linear = nn.Linear(in_features, latent_dim)

    def forward(self, features: Tensor) -> RelaxedBernoulli:
        return RelaxedBernoulli(
            self.linear(features),
            self.temperature,
            straight_through=self.straight_through,
            event_ndim=1,
            validate_args=False,
        )


def _positive(temperature: float, part: str) -> float:
    if not temperature > 0:
        raise ValueError(f"{part} posterior: temperature must be positive, got {temperature}")
    return temperature
