"""The evidence lower bound."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.distributions import Distribution

from pyvae.distributions import rsample_kl
from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.registry import objectives

__all__ = ["ELBO"]


@objectives.register("elbo")
class ELBO(Objective):
    r"""The negative evidence lower bound, by either SGVB estimator.

    .. math::
        \text{loss} = \frac1B \sum_x \beta\, \mathrm{KL}(q(z|x) \,\|\, p(z))
                      - \frac1K \sum_k \log p(x|z_k), \quad z_k \sim q(z|x)

    ``"analytic"`` takes the KL in closed form (estimator B), ``"sampled"`` as the mean of
    log q(z|x) - log p(z) over the same samples (estimator A). Both agree in expectation.
    Kingma & Welling 2014, eq. 6 and 7; beta: Higgins et al. 2017, eq. 4.

    The terms are ``elbo`` (always with beta = 1), ``log_likelihood`` and ``kl``: nats per datum,
    summed over the event, mean over the batch. Nothing else is weighted.

    Args:
        beta: the weight of the KL
        num_samples: samples of z for each datum
        estimator: "analytic" or "sampled"

    Raises:
        ValueError: an unknown estimator, fewer than one sample, or a negative beta.
        TypeError: "analytic" where the KL of posterior and prior has no closed form, or a posterior
            without reparameterized samples.

    >>> import torch
    >>> from pyvae import VAE
    >>> result = ELBO()(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8))
    >>> sorted(result.terms)
    ['elbo', 'kl', 'log_likelihood']
    """

    def __init__(
        self,
        beta: float = 1.0,
        num_samples: int = 1,
        estimator: Literal["analytic", "sampled"] = "analytic",
    ) -> None:
        super().__init__()
        if estimator not in ("analytic", "sampled"):
            raise ValueError(f"elbo: estimator must be 'analytic' or 'sampled', got {estimator!r}")
        if num_samples < 1:
            raise ValueError(f"elbo: num_samples must be at least 1, got {num_samples}")
        if beta < 0:
            raise ValueError(f"elbo: beta must not be negative, got {beta}")
        self.beta = beta
        self.num_samples = num_samples
        self.estimator = estimator

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        z, kl = self._sample_kl(model.encode(batch.x), model.prior())
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.x).mean()
        kl = kl.mean()
        terms = {
            "elbo": (log_likelihood - kl).detach(),
            "log_likelihood": log_likelihood.detach(),
            "kl": kl.detach(),
        }
        return Result(self.beta * kl - log_likelihood, terms)

    def _sample_kl(self, q: Distribution, p: Distribution) -> tuple[Tensor, Tensor]:
        """Samples z and the KL or its estimates, of any batch shape whose mean is the KL's."""
        shape = () if self.num_samples == 1 else (self.num_samples,)
        names = f"{type(q).__name__} || {type(p).__name__}"
        if not q.has_rsample:
            raise TypeError(f"elbo needs a posterior with rsample, got {type(q).__name__}")
        if self.estimator == "analytic":
            try:
                return rsample_kl(q, p, shape)
            except NotImplementedError as error:
                raise TypeError(
                    f"elbo: KL({names}) has no closed form here; use estimator='sampled'"
                ) from error
        z = q.rsample(shape)
        return z, q.log_prob(z) - p.log_prob(z)
