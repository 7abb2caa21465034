"""Semi-supervised models: a class and a code explain the data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from pyvae.distributions import Chain, OneHot
from pyvae.models.base import Model, mean_or_sample
from pyvae.models.classifier import Classifier
from pyvae.models.parts import Options
from pyvae.models.vae import VAE
from pyvae.registry import models

__all__ = ["M2"]


@models.register("m2")
class M2(Model):
    r"""p(y) p(z) p(x|z, y) with q(y|x) q(z|x, y), y one of K classes.

    The generative semi-supervised model of Kingma, Mohamed, Rezende & Welling 2014, section 3.2:
    a conditional VAE whose condition is the class, and a classifier that stands for the class where
    no label is known. The latents are the code of the class, y (K), with z behind it. The objective
    ``semi_supervised`` trains it, and sums over the classes of rows without a label.

    Args:
        data_shape: the shape of one datum
        classes: K
        latent_dim: the number of elements of z
        classifier: network from x to the features of q(y|x), an encoder
        encoder, decoder, prior, posterior, likelihood: the parts of the conditional VAE
        classifier_args, encoder_args, ...: options of the part that was named

    Raises:
        UnknownPartError: no part has this name.
        TypeError, ValueError: as :class:`pyvae.VAE`; fewer than two classes.

    >>> model = M2((1, 8, 8), classes=3, latent_dim=2)
    >>> x = torch.zeros(5, 1, 8, 8)
    >>> model.class_logits(x).shape, model.encode(x).sample().shape
    (torch.Size([5, 3]), torch.Size([5, 5]))
    """

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        classes: int = 10,
        latent_dim: int = 50,
        classifier: str = "mlp",
        encoder: str = "mlp",
        decoder: str = "mlp",
        prior: str = "standard_normal",
        posterior: str = "diagonal_gaussian",
        likelihood: str = "bernoulli",
        classifier_args: Options | None = None,
        encoder_args: Options | None = None,
        decoder_args: Options | None = None,
        prior_args: Options | None = None,
        posterior_args: Options | None = None,
        likelihood_args: Options | None = None,
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"M2: there must be at least 2 classes, got {classes}")
        self.vae = VAE(
            data_shape,
            latent_dim,
            encoder,
            decoder,
            prior,
            posterior,
            likelihood,
            encoder_args,
            decoder_args,
            prior_args,
            posterior_args,
            likelihood_args,
            condition_dim=classes,
        )
        self.data_shape = self.vae.data_shape
        self.classes, self.latent_dim = classes, classes + latent_dim
        self.classifier = Classifier(self.likelihood, classes, classifier, classifier_args)
        self.prior_logits = nn.Parameter(torch.zeros(classes))  #: of p(y)
        self._config = {
            "classes": classes,
            "classifier": classifier,
            "classifier_args": dict(classifier_args or {}),
        }

    @property
    def likelihood(self) -> Any:  # type: ignore[override]
        """That of the conditional VAE."""
        return self.vae.likelihood

    def class_logits(self, x: Tensor) -> Tensor:
        """The logits of q(y|x) (*batch, K), for x (*batch, *data_shape)."""
        return self.classifier(x)  # type: ignore[no-any-return]

    def encode(self, x: Tensor, **side: Tensor) -> Chain:
        """q(y|x) q(z|x, y) with batch_shape (B,)."""
        of_class = OneHot(self.class_logits(x).unsqueeze(-2), validate_args=False)
        return Chain(of_class, [partial(self.encode_given, x)], self._sizes)

    def encode_given(self, x: Tensor, y: Tensor) -> Distribution:
        """q(z|x, y) with batch_shape (*batch, B), for x (B, *data_shape) and y (*batch, B, K)."""
        batch = y.shape[:-1]
        rows = x.expand(*batch, *self.data_shape).flatten(0, len(batch) - 1)
        features = self.vae.features(rows, condition=y.flatten(0, -2))
        q: Distribution = self.vae.posterior(features.unflatten(0, batch))
        return q

    def prior(self) -> Chain:
        """p(y) p(z), where z may depend on y through the prior ``conditional_gaussian``."""
        of_class = OneHot(self.prior_logits.unsqueeze(0), validate_args=False)
        return Chain(of_class, [self.prior_given], self._sizes)

    def prior_given(self, y: Tensor) -> Distribution:
        """p(z), or p(z|y), with batch_shape (*batch,) for y (*batch, K)."""
        p: Distribution = self.vae.prior(**({"condition": y} if self.vae.prior_inputs else {}))
        return p if p.batch_shape else p.expand(y.shape[:-1])

    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(x|z, y) with batch_shape (*batch,), for z behind the code of y, (*batch, K + D)."""
        if z.ndim == 0 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"M2.decode: z must have shape (*batch, {self.latent_dim}), the code of one of "
                f"{self.classes} classes with z behind it, got {tuple(z.shape)}"
            )
        y, code = z.split(self._sizes, -1)
        return self.vae.decode(code, **{**side, "condition": y})

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.classes, self.latent_dim - self.classes

    def recognition_parameters(self) -> list[nn.Parameter]:
        """The parameters of encoder, posterior and classifier."""
        return [*self.vae.recognition_parameters(), *self.classifier.parameters()]

    def init_output(self, data_mean: Tensor) -> None:
        self.vae.init_output(data_mean)

    @torch.no_grad()
    def of_class(self, n: int, y: int, **side: Tensor) -> Tensor:
        """New data (n, *data_shape) of class y: the means of p(x|z, y) at z of the prior."""
        code = nn.functional.one_hot(torch.tensor(y), self.classes).to(self.prior_logits)
        codes = code.expand(n, self.classes)
        z = self.prior_given(codes).sample(Size())
        return mean_or_sample(self.decode(torch.cat([codes, z], -1), **side))

    @property
    def config(self) -> dict[str, Any]:
        set_here = ("condition_dim", "masked")
        of_vae = {n: value for n, value in self.vae.config.items() if n not in set_here}
        return {**of_vae, **self._config}
