"""The importance-weighted bound."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import path_log_prob, rsample_log_ratio
from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.objectives.sampling import need_density, need_rsample
from pyvae.registry import objectives

__all__ = ["IWAE"]


@objectives.register("iwae")
class IWAE(Objective):
    r"""The negative importance-weighted bound of K samples.

    .. math::
        \text{loss} = -\frac1B \sum_x \log \frac1K \sum_k w_k, \quad
        w_k = \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}, \quad z_k \sim q(z|x)

    Burda, Grosse & Salakhutdinov 2016, eq. 8. For K = 1 it is the ELBO, and it rises with K to
    log p(x). The estimators differ in the gradient of q(z|x) alone, with w~ the normalized weights:

    - "iwae": of the bound as it stands, sum_k w~_k d log w_k
    - "stl": without the score of q, sum_k w~_k (d log w_k / dz) dz_k. Less noise near the true
      posterior; biased for K > 1 (Roeder, Wu & Duvenaud 2017)
    - "dreg": sum_k w~_k^2 (d log w_k / dz) dz_k, the doubly reparameterized gradient. Unbiased as
      "iwae" is, with a signal that does not vanish as K grows (Tucker et al. 2019)

    The terms are ``bound``; and ``elbo``, ``log_likelihood`` and ``kl`` as means over the same
    samples: nats per datum.

    Args:
        num_samples: K
        estimator: "iwae", "stl" or "dreg"

    Raises:
        ValueError: an unknown estimator, or fewer than one sample.
        TypeError: a posterior without reparameterized samples or without a density.

    >>> from pyvae import VAE
    >>> result = IWAE(num_samples=5)(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8))
    >>> bool(result.terms["bound"] >= result.terms["elbo"])
    True
    """

    def __init__(
        self, num_samples: int = 50, estimator: Literal["iwae", "stl", "dreg"] = "iwae"
    ) -> None:
        super().__init__()
        if estimator not in ("iwae", "stl", "dreg"):
            raise ValueError(f"iwae: estimator must be 'iwae', 'stl' or 'dreg', got {estimator!r}")
        if num_samples < 1:
            raise ValueError(f"iwae: num_samples must be at least 1, got {num_samples}")
        self.num_samples = num_samples
        self.estimator = estimator

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q, p = model.infer(batch)
        need_rsample("iwae", q)
        with need_density("iwae", q):
            z, log_ratio = self._sample(q, p)
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.target)
        log_weight = log_likelihood + log_ratio
        if self.estimator == "dreg" and z.requires_grad:
            weight = log_weight.detach().softmax(0)[..., None]
            z.register_hook(lambda grad: grad * weight)  # w~ once more, for what goes through z
        bound = (log_weight.logsumexp(0) - math.log(self.num_samples)).mean()
        terms = {
            "bound": bound.detach(),
            "elbo": log_weight.detach().mean(),
            "log_likelihood": log_likelihood.detach().mean(),
            "kl": -log_ratio.detach().mean(),
        }
        return Result(-bound, terms)

    def _sample(self, q: Distribution, p: Distribution) -> tuple[Tensor, Tensor]:
        """z (K, B, D) and log p(z) - log q(z|x) (K, B), with the estimator's gradient."""
        if self.estimator != "dreg":
            stl = self.estimator == "stl"
            return rsample_log_ratio(q, p, self.num_samples, path_derivative=stl)
        z = q.rsample(torch.Size((self.num_samples,)))  # all gradients meet in z
        return z, p.log_prob(z) - path_log_prob(q, z)
