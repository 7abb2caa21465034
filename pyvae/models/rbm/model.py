"""The restricted Boltzmann machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pyvae.distributions import Bernoulli
from pyvae.models.parts import Options, PartModel
from pyvae.models.rbm.energy import Energy
from pyvae.models.rbm.hidden import HiddenUnits
from pyvae.models.rbm.partition import anneal
from pyvae.models.rbm.units import check_units
from pyvae.registry import models

__all__ = ["RBM"]

EXACT = 16  # units of the smaller side up to which log Z is a sum
SEED = 2**31 - 1  # of the estimate of log Z, so that it is a function of the weights
Key = tuple[tuple[int, int], ...]


@models.register("rbm")
class RBM(PartModel):
    r"""A restricted Boltzmann machine: visible and hidden units, with weights between the two.

    .. math:: p(v, h) = e^{-E(v, h)} / Z, \qquad \log p(v) = -F(v) - \log Z

    Smolensky 1986; Hinton 2002. The likelihood says what the visible units are: ``bernoulli``, or
    ``gaussian`` with a variance that is fixed or learned; :class:`Energy` has the formulas. Given
    one side the units of the other are independent, so q(h|v) = p(h|v) is exact, log p(v|h) +
    log p(h) - log q(h|v) is log p(v) for every h, and so is the ELBO: every evaluation and command
    takes this model as any other. P(h = 1|v), the features, are ``encode(x).mean``.

    log Z is a sum where one side has 16 units or fewer, so that log p(v) has a gradient. Else it is
    estimated by annealed importance sampling from a machine without weights (Salakhutdinov & Murray
    2008), with a seed of its own, and has none: the objective ``contrastive_divergence`` trains
    the model. As log Z comes out too low in expectation, log p(v) comes out too high.

    Args:
        data_shape: the shape of one datum
        latent_dim: H, the number of hidden units
        likelihood: what the visible units are
        likelihood_args: its options
        gibbs_steps: the length of the chains that samples come from; of more than 100 samples the
            rest are later states of the same chains, 10 steps apart
        ais_steps: temperatures of the estimate of log Z
        ais_chains: its chains

    Raises:
        TypeError: a likelihood that is not one of visible units.
        ValueError: a number that is not positive.

    >>> machine = RBM((1, 8, 8), latent_dim=10)
    >>> x = torch.zeros(3, 1, 8, 8)
    >>> machine.encode(x).mean.shape, machine.log_prob(x).shape
    (torch.Size([3, 10]), torch.Size([3]))
    """

    base: Tensor

    def __init__(
        self,
        data_shape: Sequence[int] = (1, 28, 28),
        latent_dim: int = 500,
        likelihood: str | nn.Module = "bernoulli",
        likelihood_args: Options | None = None,
        gibbs_steps: int = 1000,
        ais_steps: int = 1000,
        ais_chains: int = 100,
    ) -> None:
        super().__init__()
        numbers = {
            "latent_dim": latent_dim,
            "gibbs_steps": gibbs_steps,
            "ais_steps": ais_steps,
            "ais_chains": ais_chains,
        }
        self._start(data_shape, 0, **numbers)
        del self._config["condition_dim"]  # it takes none
        self.latent_dim = latent_dim
        self.gibbs_steps, self.ais_steps, self.ais_chains = gibbs_steps, ais_steps, ais_chains
        data = {"data_shape": self.data_shape}
        self.likelihood = self._make("likelihood", likelihood, likelihood_args, data)
        check_units(self.likelihood)
        size = math.prod(self.data_shape)
        self.up = nn.Linear(size, latent_dim)
        nn.init.normal_(self.up.weight, std=0.01)  # Hinton 2010, section 8
        nn.init.zeros_(self.up.bias)
        self.visible = nn.Parameter(torch.zeros(size))
        self.register_buffer("base", torch.zeros(size))
        self._known: tuple[Key, Tensor, Tensor] | None = None

    @property
    def energy(self) -> Energy:
        """The energy with the weights of now."""
        logvar = getattr(self.likelihood, "logvar", None)
        return Energy(self.up.weight, self.visible, self.up.bias, logvar)

    def _units(self, x: Tensor) -> Tensor:
        """Data (*batch, *data_shape) as visible units (*batch, D)."""
        return self.likelihood.as_input(x, self.dtype).flatten(-len(self.data_shape))

    def encode(self, x: Tensor, **side: Tensor) -> Bernoulli:
        """p(h|v) with batch_shape (B,), for data x (B, *data_shape) of any dtype."""
        self._check_data(x)
        logits = self.energy.hidden_logits(self._units(x))
        return Bernoulli(logits=logits, event_ndim=1, validate_args=False)

    def decode(self, z: Tensor, **side: Tensor) -> Distribution:
        """p(v|h) with batch_shape (*batch,), for h (*batch, latent_dim)."""
        if z.ndim == 0 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"RBM.decode: z must have shape (*batch, {self.latent_dim}), got {tuple(z.shape)}"
            )
        p: Distribution = self.likelihood(self.energy.field(z).unflatten(-1, self.data_shape))
        return p

    def prior(self) -> HiddenUnits:
        """p(h)."""
        return HiddenUnits(self.energy, self.log_z, self.base, self.gibbs_steps)

    def free_energy(self, x: Tensor) -> Tensor:
        """F(v) (B,) in nats, for data x (B, *data_shape): -log p(v) up to a constant."""
        return self.energy.free_energy(self._units(x))

    @torch.no_grad()
    def gibbs(self, x: Tensor, steps: int) -> Tensor:
        """Data x (B, *data_shape) after so many steps of Gibbs sampling."""
        energy, v = self.energy, self._units(x)
        h = energy.sample_hidden(energy.gibbs(v, steps - 1)) if steps else None
        return x.to(self.dtype) if h is None else self.decode(h).sample()

    @torch.no_grad()
    def start(self, n: int) -> Tensor:
        """Data (n, *data_shape) of the machine without weights, to begin chains from."""
        blank = self.energy.between(self.base, 0.0)
        field = blank.field(self.base.new_zeros(n, self.latent_dim))
        p: Distribution = self.likelihood(field.unflatten(-1, self.data_shape))
        return p.sample()

    @property
    def exact(self) -> bool:
        """Whether log Z is a sum, and not estimated."""
        return self.energy.smaller_side <= EXACT

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(v) in nats (B,), for data x (B, *data_shape); with a gradient where it is exact."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.exact):
            q = self.encode(x)
            h = torch.zeros_like(q.logits)  # any h will do
            log_joint = self.decode(h).log_prob(x) + self.prior().log_prob(h)
            log_prob: Tensor = log_joint - q.log_prob(h)
        return log_prob

    def log_z(self) -> Tensor:
        """log Z (), exactly or by :meth:`estimate_log_z`, once for the same weights.

        Raises:
            TypeError: it is estimated, and a gradient is wanted.
        """
        if self.exact:
            return self.energy.log_z()
        if torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters()):
            raise TypeError(
                f"rbm: log Z of {self.latent_dim} hidden and {len(self.visible)} visible units is "
                f"estimated and has no gradient; the objective contrastive_divergence trains them"
            )
        return self.estimate_log_z()[0]

    @torch.no_grad()
    def estimate_log_z(self) -> tuple[Tensor, Tensor]:
        """log Z () by annealed importance sampling, and its standard error over the chains ()."""
        tensors = [*self.parameters(), self.base]
        key = tuple((t._version, t.data_ptr()) for t in tensors)
        if self._known is None or self._known[0] != key:
            devices = [self.base.device] if self.base.device.type == "cuda" else []
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(SEED)
                self._known = key, *anneal(self.energy, self.base, self.ais_steps, self.ais_chains)
        return self._known[1:]

    def recognition_parameters(self) -> list[nn.Parameter]:
        """There are none of its own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "rbm: q(h|v) is p(h|v) itself and has no parameters of its own; the objective "
            "contrastive_divergence trains the model"
        )

    def filters(self) -> Tensor:
        """The weights of each hidden unit (latent_dim, *data_shape)."""
        weight: Tensor = self.up.weight.detach()
        return weight.reshape(-1, *self.data_shape)

    @torch.no_grad()
    def init_output(self, data_mean: Tensor) -> None:
        """Start the visible biases at the mean of the data (*data_shape)."""
        self.visible.copy_(self._biases(data_mean))

    @torch.no_grad()
    def init_prior(self, x: Tensor) -> None:
        """Let chains begin from units of the mean of training data x (N, *data_shape)."""
        self.base.copy_(self._biases(x.to(self.dtype).mean(0)))

    def _biases(self, mean: Tensor) -> Tensor:
        biases = self.likelihood.init_from_mean(mean.to(self.dtype))
        assert biases is not None  # both kinds of units have them
        return biases.flatten()
