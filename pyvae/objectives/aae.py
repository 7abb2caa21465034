"""The adversarial autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import softplus

from pyvae.models.base import Model
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.discriminator import Discriminator
from pyvae.objectives.sampling import need_rsample
from pyvae.registry import objectives

__all__ = ["AAE"]


@objectives.register("aae")
class AAE(Objective):
    r"""The adversarial autoencoder: q(z) is matched to p(z) by a discriminator instead of a KL.

    .. math::
        \text{reconstruction:} &\ \min_{\text{encoder, decoder}}\ -\mathbb E \log p(x|z) \\
        \text{discriminator:} &\ \min_D\ -\tfrac12 \mathbb E_{p(z)} \log \sigma(D(z))
            - \tfrac12 \mathbb E_{q(z)} \log \sigma(-D(z)) \\
        \text{generator:} &\ \min_{\text{encoder}}\ -\mathbb E_{q(z)} \log \sigma(D(z))

    Makhzani, Shlens, Jaitly, Goodfellow & Frey 2015, section 2. Each line is a phase with an
    optimizer of its own. At the optimum q(z) = p(z) and the accuracy of the discriminator is 1/2.

    The terms are ``log_likelihood``, ``accuracy`` and ``generator``, the last line's value.

    Args:
        hidden: the width of each hidden layer of the discriminator
        activation: its function after each hidden layer
        discriminator_lr: the learning rate of the discriminator, in units of the run's
        generator_lr: the learning rate of the generator phase, in units of the run's

    Raises:
        TypeError: a posterior without reparameterized samples.

    >>> from pyvae import VAE
    >>> model, objective = VAE((1, 8, 8), latent_dim=2), AAE(hidden=(16,))
    >>> objective.bind(model)
    >>> [phase.name for phase in objective.phases(model)]
    ['reconstruction', 'discriminator', 'generator']
    """

    discriminator: Discriminator

    def __init__(
        self,
        hidden: Sequence[int] = (1000, 1000),
        activation: str = "relu",
        discriminator_lr: float = 1.0,
        generator_lr: float = 1.0,
    ) -> None:
        super().__init__()
        self.hidden = tuple(hidden)
        self.activation = activation
        self.discriminator_lr = discriminator_lr
        self.generator_lr = generator_lr

    def bind(self, model: Model) -> None:
        self.discriminator = Discriminator(model, self.hidden, self.activation)

    def phases(self, model: Model) -> list[Phase]:
        everything = [p for p in model.parameters() if p.requires_grad]
        encoder = [p for p in model.recognition_parameters() if p.requires_grad]
        own = list(self.discriminator.parameters())
        return [
            Phase("reconstruction", everything),
            Phase("discriminator", own, lr_factor=self.discriminator_lr),
            Phase("generator", encoder, lr_factor=self.generator_lr),
        ]

    def forward(self, model: Model, batch: Tensor | Batch, *, phase: str | None = None) -> Result:
        batch = Batch.of(batch)
        q, _ = model.infer(batch)
        need_rsample("aae", q)
        z = q.rsample()
        if phase == "discriminator":
            of_prior = model.sample_prior(len(z), batch.extras)
            loss, accuracy = self.discriminator.loss(of_prior, z.detach())
            return Result(loss, {"accuracy": accuracy})
        if phase == "generator":
            loss = softplus(-self.discriminator(z)).mean()
            return Result(loss, {"generator": loss.detach()})
        log_likelihood = model.decode(z, **batch.extras).log_prob(batch.target).mean()
        return Result(-log_likelihood, {"log_likelihood": log_likelihood.detach()})
