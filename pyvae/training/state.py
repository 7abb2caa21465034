"""Everything that the next training step depends on, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyvae.data import Batches
from pyvae.errors import UserError
from pyvae.training.checkpoint import flatten_optimizer, load_optimizer, rng_state, set_rng_state
from pyvae.training.means import Means

__all__ = ["Counters", "TrainingState"]


@dataclass
class Counters:
    """How far training is.

    Args:
        step: training steps done
        samples: rows seen
        seconds: spent training
        evaluated: the last step that was evaluated
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    evaluated: int = 0


class TrainingState:
    """Weights, optimizers, random generators, the place in the data, sums not recorded yet.

    Args:
        losses: the module that holds model and objective
        optimizers: by the names of their phases
        batches: the minibatches
        generator: of the binarization
        device: whose random state belongs to it
    """

    def __init__(
        self,
        losses: nn.Module,
        optimizers: Mapping[str, Optimizer],
        batches: Batches,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.losses, self.optimizers, self.batches = losses, optimizers, batches
        self.generator, self.device = generator, device
        self.means = Means()
        self.counters = Counters()

    def capture(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors named ``group/key``, and facts fit for JSON."""
        optimizers: dict[str, Any] = {}
        groups: dict[str, Mapping[str, Tensor]] = {
            "losses": self.losses.state_dict(),
            "rng": rng_state(self.device),
            "batches": self.batches.state_dict(),
            "means": self.means.state_dict(),
            "binarize": {"generator": self.generator.get_state()},
        }
        for name, optimizer in self.optimizers.items():
            groups[f"optimizer {name}"], optimizers[name] = flatten_optimizer(optimizer)
        tensors = {
            f"{group}/{key}": t for group, named in groups.items() for key, t in named.items()
        }
        return tensors, {**asdict(self.counters), "optimizers": optimizers}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put back what :meth:`capture` gave.

        Raises:
            UserError: it is of another model, objective or data set.
        """
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            group, _, key = name.partition("/")
            groups.setdefault(group, {})[key] = tensor
        try:
            self.losses.load_state_dict(groups["losses"])
            for name, optimizer in self.optimizers.items():
                named = groups.get(f"optimizer {name}", {})
                load_optimizer(optimizer, named, facts["optimizers"][name])
            self.batches.load_state_dict(groups["batches"])
            self.means.load_state_dict(groups.get("means", {}), self.device)
            self.generator.set_state(groups["binarize"]["generator"])
            self.counters = Counters(**{name: facts[name] for name in asdict(self.counters)})
            set_rng_state(groups["rng"], self.device)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"the checkpoint does not fit this run: {error}") from error
