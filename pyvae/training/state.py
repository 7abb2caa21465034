"""Everything that the next training step depends on, taken from a trainer and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pyvae.errors import UserError
from pyvae.training.checkpoint import flatten_optimizer, load_optimizer, rng_state, set_rng_state

if TYPE_CHECKING:
    from pyvae.training.loop import Trainer

__all__ = ["capture", "restore"]

_COUNTERS = ("step", "samples", "seconds", "evaluated")


def capture(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors named ``group/key``, and facts fit for JSON.

    Weights of model and objective, optimizers, torch's random state, the place in the epoch's
    permutation, the generator of the binarization, and the sums that are not recorded yet.
    """
    optimizers: dict[str, Any] = {}
    groups: dict[str, Mapping[str, Tensor]] = {
        "losses": trainer.losses.state_dict(),
        "rng": rng_state(trainer.parts.device),
        "batches": trainer.batches.state_dict(),
        "means": trainer.means.state_dict(),
        "binarize": {"generator": trainer.generator.get_state()},
    }
    for name, optimizer in trainer.optimizers.items():
        groups[f"optimizer {name}"], optimizers[name] = flatten_optimizer(optimizer)
    tensors = {f"{group}/{key}": t for group, named in groups.items() for key, t in named.items()}
    counters = {name: getattr(trainer, name) for name in _COUNTERS}
    return tensors, {**counters, "optimizers": optimizers}


def restore(trainer: Trainer, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Put back what :func:`capture` took.

    Raises:
        UserError: the state is of another model, objective or data set.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, key = name.partition("/")
        groups.setdefault(group, {})[key] = tensor
    device = trainer.parts.device
    try:
        trainer.losses.load_state_dict(groups["losses"])
        for name, optimizer in trainer.optimizers.items():
            named = groups.get(f"optimizer {name}", {})
            load_optimizer(optimizer, named, facts["optimizers"][name])
        trainer.batches.load_state_dict(groups["batches"])
        trainer.means.load_state_dict(groups.get("means", {}), device)
        trainer.generator.set_state(groups["binarize"]["generator"])
        for counter in _COUNTERS:
            setattr(trainer, counter, facts[counter])
        set_rng_state(groups["rng"], device)
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{trainer.folder.checkpoint} does not fit this run: {error}") from error
