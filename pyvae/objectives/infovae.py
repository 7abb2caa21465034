"""Objectives that match the aggregated posterior to the prior by samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from pyvae.functional import mmd
from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Result
from pyvae.objectives.bound import negative_elbo_terms
from pyvae.objectives.sampling import KL_ESTIMATORS, need_rsample, sample_kl
from pyvae.registry import objectives

__all__ = ["MMDVAE", "InfoVAE"]


@objectives.register("infovae")
class InfoVAE(Objective):
    r"""InfoVAE: one weight for the mutual information of x and z, one for the fit of q(z) to p(z).

    .. math::
        \text{loss} = -\mathbb E \log p(x|z) + (1 - \alpha)\, \mathrm{KL}(q(z|x) \,\|\, p(z))
                      + (\alpha + \lambda - 1)\, \mathrm{MMD}^2(q(z), p(z))

    Zhao, Song & Ermon 2017 (2019), whose divergence of q(z) and p(z) is here the maximum mean
    discrepancy of the batch and as many samples of the prior. alpha = 0 and lambda = 1 is the ELBO,
    alpha = 1 the MMD-VAE, which needs no density of the posterior.

    lambda makes up for the different sizes of the terms: the log-likelihood is a sum over the
    data's dimensions, hundreds of nats, while this MMD lies between 0 and 2, and is about 0.01
    where samples of q(z) and p(z) look alike. With lambda = 100 that is a nat. The presets take
    1000, for ten latents and longer training. With two latents so large a weight outweighs the
    likelihood of MNIST in the first steps, and the latents stay unused. alpha = 0 weighs the mutual
    information as the ELBO does, which is enough for simple decoders; a decoder that could do
    without z (an autoregressive one) needs a larger alpha, up to 1.

    The terms are ``log_likelihood``, ``mmd``, and with alpha < 1 ``elbo`` and ``kl``.

    Args:
        alpha: at most 1; the weight of the mutual information is alpha higher than in the ELBO
        lambda_: lambda (as an option of a command ``lambda``); alpha + lambda must be at least 1
        kernel: "rbf" or "imq", see :func:`pyvae.functional.mmd`
        scales: bandwidths, in units of sqrt(latent_dim); the kernel is their sum
        unbiased: the unbiased estimate of the MMD, which may be negative
        estimator: of the KL: "auto", "analytic" or "sampled", as in the ELBO

    Raises:
        ValueError: a number or a name that is not as above.
        TypeError: a posterior without reparameterized samples; with alpha < 1 one without a
            density, or no closed form for "analytic".

    >>> import torch
    >>> from pyvae import VAE
    >>> sorted(InfoVAE()(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms)
    ['elbo', 'kl', 'log_likelihood', 'mmd']
    """

    min_rows = 2

    name: ClassVar[str] = "infovae"  # in messages

    def __init__(
        self,
        alpha: float = 0.0,
        lambda_: float = 100.0,
        kernel: Literal["rbf", "imq"] = "rbf",
        scales: Sequence[float] = (1.0,),
        unbiased: bool = False,
        estimator: Literal["auto", "analytic", "sampled"] = "auto",
    ) -> None:
        super().__init__()
        if alpha > 1 or alpha + lambda_ < 1:
            raise ValueError(
                f"{self.name}: alpha must be at most 1 and alpha + lambda at least 1, "
                f"got {alpha} and {lambda_}"
            )
        if kernel not in ("rbf", "imq"):
            raise ValueError(f"{self.name}: kernel must be 'rbf' or 'imq', got {kernel!r}")
        if not scales or min(scales) <= 0:
            raise ValueError(
                f"{self.name}: scales must be one or more positive numbers, got {scales}"
            )
        if estimator not in KL_ESTIMATORS:
            raise ValueError(
                f"{self.name}: estimator must be one of {', '.join(KL_ESTIMATORS)}, "
                f"got {estimator!r}"
            )
        self.alpha, self.lambda_ = alpha, lambda_
        self.kernel, self.scales, self.unbiased = kernel, tuple(scales), unbiased
        self.estimator = estimator

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q, p = model.infer(batch)
        if self.alpha < 1:
            z, kl_each = sample_kl(self.name, q, p, 1, self.estimator)
        else:
            need_rsample(self.name, q)
            z = q.rsample()
        log_likelihood_each = model.decode(z, **batch.extras).log_prob(batch.target)
        if self.alpha < 1:
            loss, terms = negative_elbo_terms(log_likelihood_each, kl_each, 1 - self.alpha)
        else:
            loss = -log_likelihood_each.mean()
            terms = {"log_likelihood": -loss.detach()}
        divergence = self._mmd(z, model.sample_prior(len(z), batch.extras))
        terms["mmd"] = divergence.detach()
        return Result(loss + (self.alpha + self.lambda_ - 1) * divergence, terms)

    def _mmd(self, z: Tensor, of_prior: Tensor) -> Tensor:
        # The typical distance of two samples of N(0, I) is sqrt(2 D); "imq" has D in its constant.
        unit = math.sqrt(z.shape[1]) if self.kernel == "rbf" else 1.0
        scales = tuple(scale * unit for scale in self.scales)
        found: Tensor = mmd(z, of_prior, kernel=self.kernel, scales=scales, unbiased=self.unbiased)
        return found


@objectives.register("mmd_vae")
class MMDVAE(InfoVAE):
    r"""MMD-VAE: InfoVAE with alpha = 1, lambda MMD^2(q(z), p(z)) in the place of the KL.

    .. math:: \text{loss} = -\mathbb E \log p(x|z) + \lambda\, \mathrm{MMD}^2(q(z), p(z))

    Zhao, Song & Ermon 2017. With a deterministic posterior it is the Wasserstein autoencoder with
    the MMD penalty (Tolstikhin et al. 2018).

    Args:
        lambda_: lambda (as an option of a command ``lambda``), not negative
        kernel: as in :class:`InfoVAE`
        scales: as in :class:`InfoVAE`
        unbiased: as in :class:`InfoVAE`

    >>> import torch
    >>> from pyvae import VAE
    >>> sorted(MMDVAE()(VAE((1, 8, 8), latent_dim=2), torch.zeros(4, 1, 8, 8)).terms)
    ['log_likelihood', 'mmd']
    """

    name: ClassVar[str] = "mmd_vae"

    def __init__(
        self,
        lambda_: float = 100.0,
        kernel: Literal["rbf", "imq"] = "rbf",
        scales: Sequence[float] = (1.0,),
        unbiased: bool = False,
    ) -> None:
        super().__init__(1.0, lambda_, kernel, scales, unbiased)
